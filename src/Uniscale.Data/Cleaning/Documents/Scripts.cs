namespace Uniscale.Data.Cleaning;

/// <summary>Writing systems, by the ranges of Unicode's basic plane.</summary>
internal enum Script { None, Latin, Han, Kana, Hangul, Cyrillic, Greek, Arabic, Hebrew, Devanagari, Thai, Other }

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
}
