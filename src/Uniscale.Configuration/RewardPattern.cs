using System.Text.RegularExpressions;

namespace Uniscale.Configuration;

/// <summary>The pattern of a rule that rewards a format.</summary>
public static class RewardPattern
{
    /// <summary>Matches a text from end to end, in a time that grows with its length alone.</summary>
    /// <exception cref="ArgumentException">It is no regular expression.</exception>
    /// <exception cref="NotSupportedException">It needs backtracking.</exception>
    public static Regex Compile(string pattern) => new($@"\A(?:{pattern})\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
}
