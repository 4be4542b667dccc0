using System.Globalization;
using System.Text.RegularExpressions;

namespace Uniscale.Evaluation.Exams.Answers;

/// <summary>Answers that are formulas.</summary>
internal static partial class MathAnswers
{
    private const string Box = @"\boxed{";

    /// <summary>
    /// What the last \boxed holds, else the last formula between dollars, else what stands behind the last equals sign, else the whole.
    /// </summary>
    public static string Extract(string text)
    {
        int begin = text.LastIndexOf(Box, StringComparison.Ordinal);
        if (begin >= 0 && Braced(text, begin + Box.Length - 1) is { } boxed)
            return boxed;
        if (Formula().Matches(text) is { Count: > 0 } formulas)
            return formulas[^1].Groups[1].Value;
        int equals = text.LastIndexOf('=');
        return (equals >= 0 ? text[(equals + 1)..] : text).Trim().TrimEnd('.');
    }

    /// <summary>Whether two formulas are the same after normalisation of what is written in several ways, or the same number.</summary>
    public static bool Equal(string one, string other)
    {
        string a = Normalised(one),
            b = Normalised(other);
        return a == b || (ValueOf(a) is { } x && ValueOf(b) is { } y && x == y);
    }

    /// <summary>One writing of blanks, fractions, roots, units, degrees, percents and separators.</summary>
    internal static string Normalised(string formula)
    {
        string text = formula.Trim();
        foreach (
            string noise in (string[])
                ["\n", @"\!", @"\,", @"\;", @"\ ", @"\left", @"\right", @"^{\circ}", @"^\circ", @"\$", "$", @"\%", "%", " "]
        )
            text = text.Replace(noise, "", StringComparison.Ordinal);
        text = text.Replace("tfrac", "frac", StringComparison.Ordinal).Replace("dfrac", "frac", StringComparison.Ordinal);
        text = Unit().Replace(text, "");
        text = Text().Replace(text, "$1");
        text = ShortFraction().Replace(text, @"\frac{$1}{$2}");
        text = ShortRoot().Replace(text, @"\sqrt{$1}");
        text = Thousands().Replace(text, "");
        // "x = 5" is 5; ".5" is 0.5; "1/2" is a fraction.
        if (text.Split('=') is [{ Length: <= 2 }, var right])
            text = right;
        text = LeadingPoint().Replace(text, "0.");
        return PlainFraction().Replace(text, @"\frac{$1}{$2}").TrimEnd('.');
    }

    private static decimal? ValueOf(string formula)
    {
        if (Fraction().Match(formula) is { Success: true } match)
        {
            return Number(match.Groups[2].Value) is { } above && Number(match.Groups[3].Value) is { } below && below != 0
                ? above / below * (match.Groups[1].Length > 0 ? -1 : 1)
                : null;
        }
        return Number(formula);
    }

    private static decimal? Number(string text) =>
        decimal.TryParse(
            text,
            NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint,
            CultureInfo.InvariantCulture,
            out decimal value
        )
            ? value
            : null;

    private static string? Braced(string text, int open)
    {
        for (int i = open, depth = 0; i < text.Length; i++)
        {
            depth +=
                text[i] == '{' ? 1
                : text[i] == '}' ? -1
                : 0;
            if (depth == 0)
                return text[(open + 1)..i];
        }
        return null;
    }

    [GeneratedRegex(@"\$([^$]+)\$")]
    private static partial Regex Formula();

    [GeneratedRegex(@"(?<=.)\\(text|mbox|mathrm)\{[^}]*\}$")]
    private static partial Regex Unit();

    [GeneratedRegex(@"\\(?:text|mbox|mathrm)\{([^}]*)\}")]
    private static partial Regex Text();

    [GeneratedRegex(@"\\frac(\d)(\d)")]
    private static partial Regex ShortFraction();

    [GeneratedRegex(@"\\sqrt(\w)")]
    private static partial Regex ShortRoot();

    [GeneratedRegex(@"(?<=\d),(?=\d{3}(\D|$))")]
    private static partial Regex Thousands();

    [GeneratedRegex(@"(?<![\d])\.(?=\d)")]
    private static partial Regex LeadingPoint();

    [GeneratedRegex(@"^(-?\d+)/(\d+)$")]
    private static partial Regex PlainFraction();

    [GeneratedRegex(@"^(-?)\\frac\{(-?[\d.]+)\}\{(-?[\d.]+)\}$")]
    private static partial Regex Fraction();
}
