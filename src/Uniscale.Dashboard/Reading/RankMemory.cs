using System.Globalization;
using System.Text.RegularExpressions;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>What a rank holds between steps, as its log said when it began.</summary>
/// <param name="Parts">Megabytes (10^6) by what they are for.</param>
internal sealed partial record RankMemory(int Rank, IReadOnlyList<(string Name, double Megabytes)> Parts)
{
    private const int HeadBytes = 256 << 10;

    /// <summary>The memory of the first ranks that told it, by rank.</summary>
    public static IReadOnlyList<RankMemory> Read(RunsFolder door, string run, int most) =>
        [
            .. door
                .Files(Path.Combine(run, "logs"), "train-rank*.log")
                .OrderBy(name => name.Length)
                .ThenBy(name => name, StringComparer.Ordinal)
                .Take(most)
                .Select(name => Of(door.Head(run, $"logs/{name}", HeadBytes)))
                .OfType<RankMemory>()
                .OrderBy(memory => memory.Rank),
        ];

    /// <summary>The last word of a log's beginning on it; null: there is none.</summary>
    private static RankMemory? Of(string log)
    {
        if (Told().Matches(log) is not [.., var told])
            return null;
        return new RankMemory(
            int.Parse(told.Groups["rank"].ValueSpan, CultureInfo.InvariantCulture),
            [
                .. ((string[])["parameters", "gradients", "optimizer"]).Select(part =>
                    (part, double.Parse(told.Groups[part].ValueSpan, CultureInfo.InvariantCulture))
                ),
            ]
        );
    }

    /// <summary>As Uniscale.Training writes it.</summary>
    [GeneratedRegex(
        @"Rank (?<rank>[0-9]{1,9}) holds [0-9.]+ MB: parameters (?<parameters>[0-9]+\.[0-9]), gradients (?<gradients>[0-9]+\.[0-9]), optimizer (?<optimizer>[0-9]+\.[0-9])",
        RegexOptions.CultureInvariant
    )]
    private static partial Regex Told();
}
