using System.Globalization;
using System.Text.RegularExpressions;
using Uniscale.Configuration;

namespace Uniscale.Launching.Slurm;

/// <summary>Lists as Slurm writes them into the environment: hosts by ranges, numbers with repetitions.</summary>
internal static partial class SlurmLists
{
    /// <summary>Hosts of a list such as <c>n[1-3,7],gpu[01-02]-a</c>, in its order.</summary>
    /// <exception cref="UserErrorException">It is none.</exception>
    public static IReadOnlyList<string> Hosts(string text)
    {
        var hosts = new List<string>();
        foreach (Match part in Host().Matches(text))
            hosts.AddRange(Expand(part.Value, text));
        if (hosts.Count == 0 || !Whole().IsMatch(text))
            throw Broken(text);
        return hosts;
    }

    /// <summary>Numbers of a list such as <c>2(x3),1</c>.</summary>
    /// <exception cref="UserErrorException">It is none.</exception>
    public static IReadOnlyList<int> Numbers(string text)
    {
        var numbers = new List<int>();
        foreach (string part in text.Split(','))
        {
            var match = Repeated().Match(part);
            if (!match.Success)
                throw Broken(text);
            int times = match.Groups["times"].Success ? int.Parse(match.Groups["times"].Value, CultureInfo.InvariantCulture) : 1;
            if (numbers.Count + times > Limits.Ranks)
                throw Broken(text);
            numbers.AddRange(Enumerable.Repeat(int.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture), times));
        }
        return numbers;
    }

    private static IEnumerable<string> Expand(string name, string text)
    {
        var match = Brackets().Match(name);
        if (!match.Success)
            return [name];
        var expanded = new List<string>();
        foreach (string part in match.Groups["list"].Value.Split(','))
        {
            string[] ends = part.Split('-');
            if (ends.Length > 2 || !ends.All(end => end.Length is > 0 and < 10 && end.All(char.IsAsciiDigit)))
                throw Broken(text);
            int first = int.Parse(ends[0], CultureInfo.InvariantCulture),
                last = int.Parse(ends[^1], CultureInfo.InvariantCulture);
            if (last < first || last - first + expanded.Count >= Limits.Ranks)
                throw Broken(text);
            for (int number = first; number <= last; number++)
                expanded.Add(
                    match.Groups["before"].Value
                        + number.ToString(CultureInfo.InvariantCulture).PadLeft(ends[0].Length, '0')
                        + match.Groups["after"].Value
                );
        }
        return expanded.SelectMany(one => Expand(one, text));
    }

    private static UserErrorException Broken(string text) =>
        new($"'{text}' of Slurm's environment is no list of hosts or numbers like n[1-3] or 2(x3): launch from a shell of the allocation.");

    [GeneratedRegex(@"(?:[^,\[\]]|\[[^\]]*\])+")]
    private static partial Regex Host();

    [GeneratedRegex(@"^(?:[A-Za-z0-9_.\-]|\[[0-9,\-]+\])+(?:,(?:[A-Za-z0-9_.\-]|\[[0-9,\-]+\])+)*$")]
    private static partial Regex Whole();

    [GeneratedRegex(@"^(?<before>[^\[]*)\[(?<list>[^\]]*)\](?<after>.*)$")]
    private static partial Regex Brackets();

    [GeneratedRegex(@"^(?<number>[1-9]\d{0,6})(\(x(?<times>[1-9]\d{0,6})\))?$", RegexOptions.ExplicitCapture)]
    private static partial Regex Repeated();
}
