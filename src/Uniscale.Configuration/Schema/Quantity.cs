using System.Globalization;

namespace Uniscale.Configuration.Schema;

/// <summary>Numbers as people write them: <c>4M tokens</c>, <c>1.6T</c>, <c>32KiB</c>, <c>30min</c>, <c>10_000</c>.</summary>
public static class Quantity
{
    private const int LongestCharacters = 100;

    /// <summary>Reads a number with a suffix of <paramref name="unit"/>; bytes, tokens, seconds or FLOP/s.</summary>
    public static bool TryParse(string text, Unit unit, out double value)
    {
        value = 0;
        if (text.Length > LongestCharacters)
            return false;
        string trimmed = text.Trim();
        int end = trimmed.Length;
        while (end > 0 && !char.IsAsciiDigit(trimmed[end - 1]) && trimmed[end - 1] != '.')
            end--;
        if (!TryParseNumber(trimmed[..end], out double number) || Factor(Suffix(trimmed[end..], unit), unit) is not { } factor)
            return false;
        // Decimal arithmetic keeps 0.1T or 4.1M exact where doubles would not.
        value = number < 1e15 && factor is >= 1 and < 1e13 ? (double)((decimal)number * (decimal)factor) : number * factor;
        return true;
    }

    /// <summary>Reads a count of tokens such as <c>10M</c>; throws <see cref="UserErrorException"/> where it is none.</summary>
    public static long ParseTokens(string text, string what) =>
        TryParse(text, Unit.Tokens, out double value) && value == Math.Floor(value) && value is >= 0 and < long.MaxValue
            ? (long)value
            : throw new UserErrorException(
                $"{what} is '{Loading.ScalarNode.Excerpt(text)}', which is no count of tokens such as 4M, 10B or 1.6T."
            );

    /// <summary>Reads a plain number, underscores allowed between digits; a comma is none of its characters.</summary>
    public static bool TryParseNumber(string text, out double value)
    {
        value = 0;
        for (int i = text.IndexOf('_', StringComparison.Ordinal); i >= 0; i = text.IndexOf('_', i + 1))
            if (i == 0 || i == text.Length - 1 || !char.IsAsciiDigit(text[i - 1]) || !char.IsAsciiDigit(text[i + 1]))
                return false;
        return double.TryParse(
                text.Replace("_", "", StringComparison.Ordinal),
                NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent,
                CultureInfo.InvariantCulture,
                out value
            ) && double.IsFinite(value);
    }

    /// <summary>Reads a whole number in any of the ways in which <see cref="TryParseNumber"/> reads one.</summary>
    public static bool TryParseWhole(string text, out long value)
    {
        value = 0;
        if (!TryParseNumber(text, out double number))
            return false;
        // Beyond 2^53 a double no longer holds every whole number; plain digits are read as they stand.
        if (
            long.TryParse(
                text.Replace("_", "", StringComparison.Ordinal),
                NumberStyles.AllowLeadingSign,
                CultureInfo.InvariantCulture,
                out value
            )
        )
            return true;
        value = (long)number;
        return number == Math.Floor(number) && Math.Abs(number) <= 9e18;
    }

    /// <summary>The shortest text that reads back as the same number; large whole numbers in digits.</summary>
    public static string Format(double value) =>
        value == Math.Floor(value) && Math.Abs(value) < 1e15
            ? ((long)value).ToString(CultureInfo.InvariantCulture)
            : value.ToString("R", CultureInfo.InvariantCulture);

    /// <summary>A count in the largest suffix that keeps it exact: 1600000000000 is 1.6T, 4000000 is 4M, 1234 stays.</summary>
    public static string FormatTokens(long value)
    {
        foreach (var (suffix, unit) in new[] { ("T", 1_000_000_000_000L), ("B", 1_000_000_000L), ("M", 1_000_000L), ("K", 1_000L) })
            if (value >= unit && value % (unit / 10) == 0)
                return ((decimal)value / unit).ToString("0.#", CultureInfo.InvariantCulture) + suffix;
        return value.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Examples for an error message.</summary>
    internal static string Examples(Unit unit) =>
        unit switch
        {
            Unit.Tokens => "a count such as 4M, 10B or 1.6T",
            Unit.Bytes => "a size such as 32KiB, 512MiB or 2GB",
            Unit.Duration => "a duration such as 30s, 10min or 2h",
            _ => "a speed such as 500G or 1.2T",
        };

    private static double? Factor(string suffix, Unit unit) =>
        unit switch
        {
            _ when suffix.Length == 0 => 1,
            Unit.Bytes => suffix switch
            {
                "B" => 1,
                "KB" or "kB" => 1e3,
                "MB" => 1e6,
                "GB" => 1e9,
                "TB" => 1e12,
                "KiB" => 1L << 10,
                "MiB" => 1L << 20,
                "GiB" => 1L << 30,
                "TiB" => 1L << 40,
                _ => null,
            },
            Unit.Duration => suffix switch
            {
                "ms" => 1e-3,
                "s" => 1,
                "min" => 60,
                "h" => 3_600,
                "d" => 86_400,
                _ => null,
            },
            _ => suffix switch
            {
                "K" or "k" => 1e3,
                "M" => 1e6,
                "B" or "G" => 1e9,
                "T" => 1e12,
                "P" => 1e15,
                _ => null,
            },
        };

    private static string Suffix(string text, Unit unit)
    {
        string word = text.Trim();
        string noun = unit switch
        {
            Unit.Tokens => "tokens",
            Unit.Flops => "FLOP/s",
            _ => "",
        };
        return noun.Length > 0 && word.EndsWith(noun, StringComparison.Ordinal) ? word[..^noun.Length].TrimEnd() : word;
    }
}
