namespace Uniscale.Evaluation.Needles;

/// <summary>One text with a needle.</summary>
/// <param name="Length">Tokens of prompt and answer.</param>
/// <param name="Depth">Where the needle was wanted, in percent of the text.</param>
/// <param name="Repeat">Number among the cells of this length and depth.</param>
/// <param name="Key">What is to be found: seven digits, none of them twice, that do not occur in the text otherwise.</param>
/// <param name="Prompt">Separator, text with needle, question.</param>
/// <param name="Place">Number of the needle's first token in the prompt.</param>
/// <param name="Characters">Length of the prompt in characters.</param>
public sealed record NeedleCell(int Length, double Depth, int Repeat, string Key, int[] Prompt, int Place, int Characters);

/// <summary>What a model answered.</summary>
/// <param name="Cell">The text.</param>
/// <param name="Answer">The answer.</param>
public sealed record NeedleResult(NeedleCell Cell, string Answer)
{
    /// <summary>Characters of an answer that are compared.</summary>
    private const int Compared = 400;

    /// <summary>Whether the key occurs in the answer.</summary>
    public bool Found => Answer.Contains(Cell.Key, StringComparison.Ordinal);

    /// <summary>Characters to insert, delete or replace between answer and key (Levenshtein).</summary>
    public int EditDistance { get; } = DistanceOf(Trimmed(Answer), Cell.Key);

    /// <summary>100 where the key was found; else 20 × (1 − edit distance / the longer of both), as OpenCompass has it.</summary>
    public double Score => Found ? 100 : 20 * (1 - (double)EditDistance / Math.Max(Trimmed(Answer).Length, Cell.Key.Length));

    private static string Trimmed(string answer) => answer.Trim() is { Length: > Compared } text ? text[..Compared] : answer.Trim();

    /// <summary>
    /// The Levenshtein distance; that of <see cref="Configuration.Schema.Names"/> counts two swapped neighbours as one mistake, as for
    /// typing errors.
    /// </summary>
    internal static int DistanceOf(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 0; i < a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i + 1;
            for (int j = 0; j < b.Length; j++)
            {
                int replaced = diagonal + (a[i] == b[j] ? 0 : 1);
                diagonal = row[j + 1];
                row[j + 1] = Math.Min(replaced, Math.Min(row[j], row[j + 1]) + 1);
            }
        }
        return row[^1];
    }
}
