using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Inference;

namespace Uniscale.Evaluation.Generation;

/// <summary>Continues texts with a trained model.</summary>
/// <param name="model">The model; not owned.</param>
/// <param name="tokenizer">The tokenizer it was trained with; not owned.</param>
/// <param name="batch">Texts that are generated at a time.</param>
public sealed class TextGenerator(InferenceModel model, Tokenizer tokenizer, int batch = 1)
{
    private readonly BatchGenerator _generator = new(model, batch, tokenizer);

    /// <summary>
    /// Yields the continuation piece by piece, at most <paramref name="tokenCount"/> tokens, until the end-of-document token or one of the
    /// stops.
    /// The model sees the last <c>context</c> tokens of prompt and continuation.
    /// </summary>
    public IEnumerable<string> Continue(string prompt, int tokenCount, SamplingOptions options, IReadOnlyList<string>? stops = null) =>
        _generator
            .Stream([Request(prompt, tokenCount, options, stops ?? []) with { Slides = true }])
            .Select(drawn => drawn.Text)
            .Where(text => text.Length > 0);

    /// <summary>What is generated for each prompt, in the order of the prompts, as soon as those before it are done.</summary>
    public IEnumerable<(Prompt Prompt, Continuation Result)> Continue(
        IReadOnlyList<Prompt> prompts,
        int tokenCount,
        SamplingOptions options,
        IReadOnlyList<string> stops
    )
    {
        var requests = prompts
            .Select(
                (prompt, i) =>
                    Request(
                        prompt.Text,
                        prompt.Tokens ?? tokenCount,
                        options with
                        {
                            Seed = prompt.Seed ?? options.Seed + i,
                        },
                        [.. stops, .. prompt.Stop]
                    )
            )
            .ToList();
        var done = new Continuation?[prompts.Count];
        int next = 0;
        foreach (var drawn in _generator.Stream(requests))
        {
            if (drawn.Result is null)
                continue;
            done[drawn.Request] = drawn.Result;
            for (; next < done.Length && done[next] is { } result; next++)
                yield return (prompts[next], result);
        }
    }

    private GenerationRequest Request(string prompt, int tokenCount, SamplingOptions options, IReadOnlyList<string> stops)
    {
        if (tokenCount < 1)
            throw new UserErrorException($"--tokens is {tokenCount}; give 1 or more.");
        int[] tokens = tokenizer.Encode(prompt);
        return new GenerationRequest(tokens.Length > 0 ? tokens : [Beginning])
        {
            Sampling = options,
            MaxTokens = tokenCount,
            StopTokens =
                tokenizer.EndId >= 0
                    ?
                    [
                        [tokenizer.EndId],
                    ]
                    : [],
            StopTexts = stops,
        };
    }

    /// <summary>Documents begin behind a separator in training; an empty prompt begins there too.</summary>
    private int Beginning => tokenizer.EndId >= 0 ? tokenizer.EndId : 0;
}
