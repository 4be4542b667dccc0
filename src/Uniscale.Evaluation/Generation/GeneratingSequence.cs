using Uniscale.Data;
using Uniscale.Engine.Decoding;
using Uniscale.Engine.Parallel.Sequences;
using Uniscale.Evaluation.Inference;

namespace Uniscale.Evaluation.Generation;

/// <summary>A request on its way: what the model has read of it, and what was drawn.</summary>
internal sealed class GeneratingSequence : IDisposable
{
    private readonly GenerationRequest _request;
    private readonly int _context;
    private readonly Sampler _sampler;
    private readonly TextBuilder? _text;
    private readonly List<int> _tokens;
    private readonly List<double> _logProbabilities = [];
    private readonly bool[] _drawable;
    private int _windowStart;
    private double _cutMass;

    /// <param name="number">Number of the request.</param>
    /// <param name="request">What is asked.</param>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">Its tokenizer; null: the result has no text.</param>
    /// <param name="drawable">Tokens that may be drawn, and those of the request's stop sequences; empty: all.</param>
    public GeneratingSequence(int number, GenerationRequest request, InferenceModel model, Tokenizer? tokenizer, bool[] drawable)
    {
        _drawable = drawable;
        var stops = request.StopTokens.SelectMany(stop => stop).Where(token => (uint)token < drawable.Length && !drawable[token]).ToList();
        if (stops.Count > 0)
            _drawable = [.. drawable];
        foreach (int token in stops)
            _drawable[token] = true;
        Number = number;
        _request = request;
        _context = model.Context;
        _sampler = new Sampler(request.Sampling, request.Prompt);
        _text = tokenizer is null ? null : new TextBuilder(tokenizer, request.Prompt, request.StopTexts);
        _tokens = [.. request.Prompt];
        Cache = model.NewSequence();
    }

    /// <summary>Number of the request.</summary>
    public int Number { get; }

    /// <summary>What the model has read.</summary>
    public KeyValueCache Cache { get; }

    /// <summary>Tokens of the prompt.</summary>
    public IReadOnlyList<int> Prompt => _request.Prompt;

    /// <summary>The whole, once it is done.</summary>
    public Continuation? Result { get; private set; }

    /// <summary>Text that became certain with the last token.</summary>
    public string NewText { get; private set; } = "";

    /// <summary>
    /// Whether a prompt is so much like this one that its beginning should be taken from here: tokens in common, 0 for few.
    /// </summary>
    public int Shares(IReadOnlyList<int> prompt)
    {
        if (_windowStart > 0)
            return 0;
        // At least one token is left to be read: its logits are wanted.
        int most = Math.Min(prompt.Count - 1, _tokens.Count),
            common = 0;
        while (common < most && prompt[common] == _tokens[common])
            common++;
        return common >= InferenceModel.WorthCopying ? common : 0;
    }

    /// <summary>The tokens that the model has to read next.</summary>
    public SequencePart Next()
    {
        if (_tokens.Count - _windowStart > _context)
        {
            // A window that slides gives every token another position: nothing of what was read can be used.
            _windowStart = _tokens.Count - _context;
            Cache.Truncate(0);
        }
        return new SequencePart(Cache, _tokens[(_windowStart + Cache.Length)..].ToArray());
    }

    /// <summary>Draws the next token.</summary>
    public void Draw(ReadOnlySpan<float> logits)
    {
        int token = _sampler.Draw(logits, _drawable);
        double temperature = _request.Sampling.Temperature;
        _tokens.Add(token);
        _cutMass += _sampler.CutMass;
        _logProbabilities.Add(LogProbabilities.Of(logits, token, temperature == 0 ? 1 : temperature));
        bool stopped = _request.StopTokens.Any(EndsWith);
        // The text of a stop sequence is none of the text.
        if (!stopped && _text is not null)
            stopped = _text.Add(token);
        FinishReason? reason =
            stopped ? FinishReason.Stop
            : _logProbabilities.Count >= _request.MaxTokens ? FinishReason.Length
            : _tokens.Count >= _context && !_request.Slides ? FinishReason.Context
            : null;
        if (reason is null)
        {
            NewText = _text?.Take(final: false) ?? "";
            return;
        }
        if (reason != FinishReason.Stop && _text?.Finish() == true)
            reason = FinishReason.Stop;
        NewText = _text?.Take(final: true) ?? "";
        Result = new Continuation([.. _tokens[_request.Prompt.Count..]], _logProbabilities, reason.Value, _text?.Text ?? "")
        {
            CutMass = _cutMass / _logProbabilities.Count,
        };
    }

    public void Dispose() => Cache.Dispose();

    private bool EndsWith(IReadOnlyList<int> stop)
    {
        if (stop.Count == 0 || stop.Count > _logProbabilities.Count)
            return false;
        for (int i = 0; i < stop.Count; i++)
            if (_tokens[_tokens.Count - stop.Count + i] != stop[i])
                return false;
        return true;
    }
}
