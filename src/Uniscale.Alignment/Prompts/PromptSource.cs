using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Training.Feeding;

namespace Uniscale.Alignment.Prompts;

/// <summary>
/// The prompts of a source: of each sample that <c>uniscale data chat</c> has packed, what stands before the last answer that is learned.
/// Held in memory.
/// </summary>
public sealed class PromptSource
{
    private PromptSource(string name, double weight, string fingerprint, IReadOnlyList<ChatPrompt> prompts, int leftOut)
    {
        (Name, Weight, Fingerprint, Prompts, LeftOut) = (name, weight, fingerprint, prompts, leftOut);
    }

    /// <summary>Name of the source.</summary>
    public string Name { get; }

    /// <summary>Share of the prompts; the number of prompts where the configuration gives none.</summary>
    public double Weight { get; }

    /// <summary>Digest of the shards.</summary>
    public string Fingerprint { get; }

    /// <summary>The prompts, in the order of the shards.</summary>
    public IReadOnlyList<ChatPrompt> Prompts { get; }

    /// <summary>Prompts that leave no room for an answer in the context.</summary>
    public int LeftOut { get; }

    /// <summary>Reads the prompts of a source.</summary>
    /// <param name="section">The source.</param>
    /// <param name="configuration">The run.</param>
    /// <param name="vocabulary">Number of token values.</param>
    /// <exception cref="UserErrorException">The source has no samples, or none that fits.</exception>
    public static PromptSource Open(SourceSection section, RunConfiguration configuration, int vocabulary)
    {
        using var source = TokenSource.Open(section, vocabulary);
        ObjectiveData.Check(configuration.Objective, [source]);
        int room = configuration.Model.Context - configuration.Rollout.MaxTokens,
            leftOut = 0;
        var prompts = new List<ChatPrompt>();
        foreach (var prompt in Read(source))
        {
            if (prompt.Tokens.Length <= room)
                prompts.Add(prompt);
            else
                leftOut++;
        }
        if (prompts.Count == 0)
            throw new UserErrorException(
                leftOut == 0
                    ? $"The data source '{source.Name}' has no sample with an answer: make it with `uniscale data chat --format prompt`."
                    : $"None of the {leftOut} prompts of the data source '{source.Name}' leaves room for an answer of {configuration.Rollout.MaxTokens} tokens in a context of {configuration.Model.Context}: lower rollout.max_tokens."
            );
        return new PromptSource(source.Name, section.Weight > 0 ? section.Weight : prompts.Count, source.Fingerprint, prompts, leftOut);
    }

    private static IEnumerable<ChatPrompt> Read(TokenSource source)
    {
        int width = source.Packs!.Value.Tokens;
        int[] tokens = new int[width],
            documents = new int[width];
        var marks = new TokenMarks[width];
        for (long start = 0; start + width <= source.TokenCount; start += width)
        {
            source.Read(start, tokens);
            source.ReadDocuments(start, documents, first: 0);
            source.ReadMarks(start, marks);
            for (int first = 0, end; first < width; first = end)
            {
                for (end = first; end < width && documents[end] == documents[first];)
                    end++;
                if (Split(tokens.AsSpan(first, end - first), marks.AsSpan(first, end - first)) is var (prompt, answer))
                    yield return new ChatPrompt(source.Domain, prompt, answer);
            }
        }
    }

    /// <summary>What stands before the last answer, and the answer; null: nothing is learned, as in padding.</summary>
    internal static (int[] Prompt, int[] Answer)? Split(ReadOnlySpan<int> tokens, ReadOnlySpan<TokenMarks> marks)
    {
        int end = marks.Length;
        while (end > 0 && !marks[end - 1].HasFlag(TokenMarks.Learned))
            end--;
        int first = end;
        while (first > 0 && marks[first - 1].HasFlag(TokenMarks.Learned))
            first--;
        return first == 0 ? null : (tokens[..first].ToArray(), tokens[first..end].ToArray());
    }
}
