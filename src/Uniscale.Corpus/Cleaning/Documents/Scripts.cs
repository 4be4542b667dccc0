using System.Globalization;

namespace Uniscale.Corpus.Cleaning;

/// <summary>Writing systems, by the ranges of Unicode's basic plane.</summary>
internal enum Script
{
    None,
    Latin,
    Han,
    Kana,
    Hangul,
    Cyrillic,
    Greek,
    Arabic,
    Hebrew,
    Devanagari,
    Thai,
    Other,
}

internal static class Scripts
{
    /// <summary>The script of a letter; None for what is no letter.</summary>
    public static Script Of(char c)
    {
        if (c < 0x80)
            return char.IsAsciiLetter(c) ? Script.Latin : Script.None;
        if (!char.IsLetter(c))
            return Script.None;
        return c switch
        {
            < '\u0250' or (>= '\u1E00' and < '\u1F00') => Script.Latin,
            >= '\u0370' and < '\u0400' => Script.Greek,
            >= '\u0400' and < '\u0530' => Script.Cyrillic,
            >= '\u0590' and < '\u0600' => Script.Hebrew,
            >= '\u0600' and < '\u0780' => Script.Arabic,
            >= '\u0900' and < '\u0980' => Script.Devanagari,
            >= '\u0E00' and < '\u0E80' => Script.Thai,
            >= '\u3040' and < '\u3100' => Script.Kana,
            >= '\u3400' and < '\uA000' => Script.Han,
            >= '\uF900' and < '\uFB00' => Script.Han,
            >= '\uAC00' and < '\uD7B0' => Script.Hangul,
            _ => Script.Other,
        };
    }

    /// <summary>Characters that stand for words: Chinese characters and Japanese syllables.</summary>
    public static bool IsIdeographic(char c) =>
        c is (>= '\u3400' and < '\uA000') or (>= '\u3040' and < '\u3100' and not '\u30FB') or (>= '\uF900' and < '\uFB00');

    /// <summary>
    /// The letter at a place is of a script that is written without spaces: Chinese, Japanese, Thai, Lao, Burmese, Khmer.
    /// </summary>
    public static bool IsUnspaced(ReadOnlySpan<char> text, int at)
    {
        char c = text[at];
        if (c is (>= '\u0E00' and < '\u0F00') or (>= '\u1000' and < '\u10A0') or (>= '\u1780' and < '\u1800'))
            return char.IsLetter(c);
        // The Chinese characters beyond the basic plane are planes 2 and 3.
        return IsIdeographic(c) || (c is >= '\uD840' and < '\uD8C0' && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]));
    }

    /// <summary>A combining mark, or a joiner within a word.</summary>
    public static bool IsMark(ReadOnlySpan<char> text, int at) =>
        text[at] is '\u200C' or '\u200D'
        || CharUnicodeInfo.GetUnicodeCategory(text[at])
            is UnicodeCategory.NonSpacingMark
                or UnicodeCategory.SpacingCombiningMark
                or UnicodeCategory.EnclosingMark;

    /// <summary>Either half of a letter or digit beyond the basic plane.</summary>
    public static bool IsAstralLetter(ReadOnlySpan<char> text, int at)
    {
        int first = char.IsLowSurrogate(text[at]) ? at - 1 : at;
        return first >= 0
            && first + 1 < text.Length
            && char.IsSurrogatePair(text[first], text[first + 1])
            && System.Text.Rune.IsLetterOrDigit(new System.Text.Rune(text[first], text[first + 1]));
    }
}
