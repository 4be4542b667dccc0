using System.Globalization;

namespace Uniscale.Data;

/// <summary>A set of characters as a pattern writes it.</summary>
/// <param name="IsNegated">All others are meant.</param>
internal sealed record CharacterSet(bool IsNegated = false)
{
    private readonly List<(int First, int Last)> _ranges = [];
    private readonly List<CharacterSet> _sets = [];
    private uint _categories; // a bit for each UnicodeCategory

    /// <summary>White space (Unicode's property White_Space).</summary>
    public static CharacterSet WhiteSpace =>
        new CharacterSet()
            .AddRange('\t', '\r')
            .AddRange(0x85, 0x85)
            .AddCategories(UnicodeCategory.SpaceSeparator, UnicodeCategory.LineSeparator, UnicodeCategory.ParagraphSeparator);

    /// <summary>One character.</summary>
    public static CharacterSet Of(int character) => new CharacterSet().AddRange(character, character);

    /// <summary>The character where the set is one; null: it is more.</summary>
    public int? Single =>
        !IsNegated && _categories == 0 && _sets.Count == 0 && _ranges is [var (first, last)] && first == last ? first : null;

    /// <summary>Adds characters from one to another.</summary>
    public CharacterSet AddRange(int first, int last)
    {
        _ranges.Add((first, last));
        return this;
    }

    /// <summary>Adds general categories of Unicode.</summary>
    public CharacterSet AddCategories(params ReadOnlySpan<UnicodeCategory> categories)
    {
        foreach (var category in categories)
            _categories |= 1u << (int)category;
        return this;
    }

    /// <summary>Adds all of another set.</summary>
    public CharacterSet Add(CharacterSet set)
    {
        _sets.Add(set);
        return this;
    }

    /// <summary>The set with the other case of its letters.</summary>
    /// <returns>Null where that is not only about letters of ASCII and what folds to them.</returns>
    public CharacterSet? WithoutCase()
    {
        if (_categories != 0 || _sets.Count > 0 || _ranges.Any(range => range.Last >= 0x80 && range.First != range.Last))
            return null;
        var folded = new CharacterSet(IsNegated);
        foreach ((int first, int last) in _ranges)
        {
            folded.AddRange(first, last);
            if (first >= 0x80 && HasCase(first))
                return null;
            for (int c = first; c <= Math.Min(last, 'z'); c++)
            {
                if (!char.IsAsciiLetter((char)c))
                    continue;
                folded.AddRange(c ^ 0x20, c ^ 0x20);
                // Of all other letters, only two fold to one of ASCII: ſ and the Kelvin sign.
                if ((c | 0x20) is 's' or 'k')
                    folded.Add(Of((c | 0x20) == 's' ? 0x17F : 0x212A));
            }
        }
        return folded;
    }

    /// <summary>False where no character outside ASCII is in the set.</summary>
    public bool MayHoldOthers =>
        IsNegated || _categories != 0 || _ranges.Any(range => range.Last >= 0x80) || _sets.Any(set => set.MayHoldOthers);

    /// <summary>True for a character of the set.</summary>
    public bool Contains(int character)
    {
        bool isIn = (_categories >> (int)CharUnicodeInfo.GetUnicodeCategory(character) & 1) != 0;
        foreach ((int first, int last) in _ranges)
            isIn |= character >= first && character <= last;
        foreach (var set in _sets)
            isIn = isIn || set.Contains(character);
        return isIn != IsNegated;
    }

    private static bool HasCase(int character) =>
        CharUnicodeInfo.GetUnicodeCategory(character)
            is UnicodeCategory.UppercaseLetter
                or UnicodeCategory.LowercaseLetter
                or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.LetterNumber
                or UnicodeCategory.OtherSymbol;
}

/// <summary>A set of characters to be asked fast: a bit for each below U+10000.</summary>
/// <param name="set">The set.</param>
internal sealed class CharacterClass(CharacterSet set)
{
    private readonly ulong[] _planeZero = MakePlane(set);

    /// <summary>True for a character of the set.</summary>
    public bool Contains(int character) =>
        (uint)character < 1 << 16 ? (_planeZero[character >> 6] >> character & 1) != 0 : set.Contains(character);

    /// <summary>True where a character of the set may begin with a byte of UTF-8.</summary>
    public bool MayBegin(byte first) => first < 0x80 ? Contains(first) : set.MayHoldOthers;

    private static ulong[] MakePlane(CharacterSet set)
    {
        ulong[] plane = new ulong[1 << 10];
        for (int c = 0; c < 1 << 16; c++)
            if (set.Contains(c))
                plane[c >> 6] |= 1UL << c;
        return plane;
    }
}
