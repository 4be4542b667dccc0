using System.Globalization;

namespace Uniscale.Data;

/// <summary>
/// Canonical decompositions and combining classes of Unicode (UAX #15), from the table canonical.txt: the runtime has none where it is
/// built without cultures, as here.
/// </summary>
internal sealed class CanonicalTable
{
    private const int HangulFirst = 0xAC00,
        Leading = 0x1100,
        Vowel = 0x1161,
        Trailing = 0x11A7,
        LeadingCount = 19,
        VowelCount = 21,
        TrailingCount = 28,
        HangulCount = LeadingCount * VowelCount * TrailingCount;

    private static readonly Lazy<CanonicalTable> Read = new(() => new CanonicalTable());

    private readonly Dictionary<int, int[]> _decompositions = [];
    private readonly Dictionary<(int First, int Second), int> _compositions = [];
    private readonly Dictionary<int, byte> _classes = [];

    private CanonicalTable()
    {
        using var stream = typeof(CanonicalTable).Assembly.GetManifestResourceStream("canonical.txt")!;
        using var lines = new StreamReader(stream);
        while (lines.ReadLine() is { } line)
        {
            string[] words = line.Split(' ');
            if (words[0].EndsWith(':'))
            {
                int dash = words[0].IndexOf('-', StringComparison.Ordinal);
                for (int c = Number(words[0][..dash]); c <= Number(words[0][(dash + 1)..^1]); c++)
                    _classes[c] = byte.Parse(words[1], CultureInfo.InvariantCulture);
            }
            else if (words[0] != "#")
            {
                int[] parts = [.. words[2..].Where(word => word != "!").Select(Number)];
                _decompositions[Number(words[0])] = parts;
                if (words[^1] != "!")
                    _compositions[(parts[0], parts[1])] = Number(words[0]);
            }
        }
    }

    /// <summary>The table.</summary>
    public static CanonicalTable Instance => Read.Value;

    /// <summary>The combining class; 0 for a character that others combine with.</summary>
    public int ClassOf(int character) => character < 0x300 ? 0 : _classes.GetValueOrDefault(character);

    /// <summary>Writes the whole decomposition of a character.</summary>
    /// <returns>Characters written.</returns>
    public int Decompose(int character, Span<int> output)
    {
        if ((uint)(character - HangulFirst) < HangulCount)
        {
            int index = character - HangulFirst,
                trailing = index % TrailingCount;
            output[0] = Leading + (index / (VowelCount * TrailingCount));
            output[1] = Vowel + (index / TrailingCount % VowelCount);
            output[2] = Trailing + trailing;
            return trailing == 0 ? 2 : 3;
        }
        if (!_decompositions.TryGetValue(character, out int[]? parts))
        {
            output[0] = character;
            return 1;
        }
        int count = 0;
        foreach (int part in parts)
            count += Decompose(part, output[count..]);
        return count;
    }

    /// <summary>The character that two make; -1: none.</summary>
    public int Compose(int first, int second)
    {
        if ((uint)(first - Leading) < LeadingCount && (uint)(second - Vowel) < VowelCount)
            return HangulFirst + ((((first - Leading) * VowelCount) + second - Vowel) * TrailingCount);
        if (
            (uint)(first - HangulFirst) < HangulCount
            && (first - HangulFirst) % TrailingCount == 0
            && second - Trailing is > 0 and < TrailingCount
        )
            return first + second - Trailing;
        return _compositions.GetValueOrDefault((first, second), -1);
    }

    /// <summary>Characters that a text may hold and be normalized already, whatever stands beside them.</summary>
    /// <param name="composes">The composed form is meant.</param>
    public CharacterClass Stable(bool composes)
    {
        var others = new CharacterSet(IsNegated: true);
        foreach (int c in _classes.Keys)
            others.AddRange(c, c);
        foreach (int c in _decompositions.Keys.Where(c => !composes || !IsComposed(c)))
            others.AddRange(c, c);
        foreach ((_, int second) in _compositions.Keys)
            others.AddRange(second, second);
        others.AddRange(Vowel, Vowel + VowelCount - 1).AddRange(Trailing + 1, Trailing + TrailingCount - 1);
        return new CharacterClass(composes ? others : others.AddRange(HangulFirst, HangulFirst + HangulCount - 1));
    }

    private bool IsComposed(int character) =>
        _decompositions[character] is [var first, var second] && _compositions.ContainsKey((first, second));

    private static int Number(string hexadecimal) => int.Parse(hexadecimal, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
