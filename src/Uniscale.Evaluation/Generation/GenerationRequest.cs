using Uniscale.Evaluation.Requests;

namespace Uniscale.Evaluation.Generation;

/// <summary>A text to be continued.</summary>
/// <param name="Prompt">Its tokens, at least one; no more than the model's context less one, unless the window slides.</param>
public sealed record GenerationRequest(IReadOnlyList<int> Prompt)
{
    /// <summary>How tokens are chosen; the seed is the request's own.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Tokens to generate at most.</summary>
    public int MaxTokens { get; init; } = 256;

    /// <summary>Sequences of tokens behind which the text ends, e.g. the one of the end of a text.</summary>
    public IReadOnlyList<IReadOnlyList<int>> StopTokens { get; init; } = [];

    /// <summary>Texts before which the text ends, wherever they lie in the tokens; they need a tokenizer.</summary>
    public IReadOnlyList<string> StopTexts { get; init; } = [];

    /// <summary>
    /// Where the context is full, the model goes on with the last tokens that fit, which it reads again for every token; otherwise the text
    /// ends there.
    /// </summary>
    public bool Slides { get; init; }

    /// <summary>
    /// Names the request among all: a digest of model, task, tokens and everything else that has an influence on the text.
    /// </summary>
    /// <param name="model">Digest of the model.</param>
    /// <param name="task">Digest of the task.</param>
    public string Key(string model, string task)
    {
        string stops = string.Join(';', StopTokens.Select(stop => string.Join(',', stop)));
        return RequestKey.Of($"{model}/{task}/generate/{MaxTokens}/{Slides}/{Sampling}/{stops}/{string.Join('\0', StopTexts)}/", Prompt);
    }
}

/// <summary>Why a text ended.</summary>
public enum FinishReason
{
    /// <summary>A stop sequence came.</summary>
    Stop,

    /// <summary>It has as many tokens as were asked for.</summary>
    Length,

    /// <summary>Prompt and text fill the model's context.</summary>
    Context,
}

/// <summary>What was generated for a request.</summary>
/// <param name="Tokens">All tokens that were drawn, those of a stop sequence too.</param>
/// <param name="LogProbabilities">
/// The logarithm of each token's probability under the softmax over the whole vocabulary at the sampling temperature (at 1 where that is
/// 0), before any
/// other rule of the sampling.
/// </param>
/// <param name="Reason">Why it ended.</param>
/// <param name="Text">The text, without the stop sequence; empty where the generator has no tokenizer.</param>
public sealed record Continuation(IReadOnlyList<int> Tokens, IReadOnlyList<double> LogProbabilities, FinishReason Reason, string Text)
{
    /// <summary>
    /// Probability that top-p, top-k and min-p took away, mean over the tokens; 0: every token was drawn from the model's own distribution.
    /// </summary>
    public double CutMass { get; init; }
}

/// <summary>A token that was drawn.</summary>
/// <param name="Request">Number of the request.</param>
/// <param name="Text">Text that is certain now and was not before: no stop sequence can begin in it, and its characters are whole.</param>
/// <param name="Result">The whole, where the request ended with this token.</param>
public readonly record struct GenerationEvent(int Request, string Text, Continuation? Result);
