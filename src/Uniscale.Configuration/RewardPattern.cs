using System.Text.RegularExpressions;

namespace Uniscale.Configuration;

/// <summary>The pattern of a rule that rewards a format.</summary>
public static class RewardPattern
{
    /// <summary>Matches a text from end to end, in a time that grows with its length alone.</summary>
    /// <exception cref="ArgumentException">It is no regular expression.</exception>
    /// <exception cref="NotSupportedException">It needs backtracking.</exception>
    public static Regex Compile(string pattern) => new($@"\A(?:{pattern})\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);

    /// <summary>Finds a text anywhere in another, in a time that grows with its length alone. Throws as <see cref="Compile"/>.</summary>
    public static Regex Within(string pattern) => new(pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);

    /// <summary>Why a pattern of a whole text cannot be; null: it can.</summary>
    internal static string? Problem(string pattern) => Problem(pattern, Compile);

    /// <summary>The same of a pattern that is found within a text.</summary>
    internal static string? ProblemWithin(string pattern) => Problem(pattern, Within);

    private static string? Problem(string pattern, Func<string, Regex> compile)
    {
        try
        {
            compile(pattern);
            return null;
        }
        catch (Exception error) when (error is ArgumentException or NotSupportedException)
        {
            return error.Message.TrimEnd('.');
        }
    }
}
