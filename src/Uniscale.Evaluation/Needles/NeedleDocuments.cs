using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Evaluation.Needles;

/// <summary>
/// Texts with needles, questions and answers to train on, so that a model learns to look back. Their keys are others than those of a
/// test with another seed.
/// </summary>
public static class NeedleDocuments
{
    private const int Depths = 101;

    /// <summary>Makes documents: lengths, depths and texts are drawn by seed and number.</summary>
    /// <param name="haystack">The text.</param>
    /// <param name="tokenizer">Counts the tokens.</param>
    /// <param name="shortest">Tokens of a document at least.</param>
    /// <param name="longest">Tokens of a document at most.</param>
    /// <param name="count">Documents.</param>
    /// <param name="seed">Another one than the test's.</param>
    /// <exception cref="UserErrorException">The lengths have no room for a text.</exception>
    public static IEnumerable<string> Make(Haystack haystack, Tokenizer tokenizer, int shortest, int longest, int count, long seed)
    {
        var options = new NeedleOptions
        {
            Lengths = [shortest],
            Depths = Depths,
            Seed = seed,
        };
        var builder = new CellBuilder(haystack, tokenizer, options);
        if (shortest < builder.ShortestLength)
            throw new UserErrorException(
                $"Texts of {shortest} tokens are too short for a needle, its question and an answer with this tokenizer: begin --lengths with {builder.ShortestLength} or more."
            );
        return Enumerable
            .Range(0, count)
            .Select(number =>
            {
                int length = shortest + (int)(Draw(number, 0) % (ulong)(longest - shortest + 1)),
                    depth = (int)(Draw(number, 1) % Depths);
                var cell = builder.One(length, depth, number);
                int prefix = TextStartOf(tokenizer, cell);
                return $"{tokenizer.Decode([.. cell.Prompt.Skip(prefix)])} {cell.Key}.";
            });

        ulong Draw(int number, ulong what) => Mixing.Key(unchecked((ulong)seed), Mixing.OfName("needle documents"), (ulong)number, what);
    }

    /// <summary>The token before every text is no part of a document: tokenizing puts it there.</summary>
    private static int TextStartOf(Tokenizer tokenizer, NeedleCell cell) =>
        Requests.TextStart.Of(tokenizer) is { } start && cell.Prompt[0] == start ? 1 : 0;
}
