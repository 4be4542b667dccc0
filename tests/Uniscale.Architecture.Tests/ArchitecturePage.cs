using System.Text.RegularExpressions;

namespace Uniscale.Architecture.Tests;

/// <summary>What docs/architecture.md draws: the tree of folders and the arrows between projects.</summary>
internal static partial class ArchitecturePage
{
    private const string Prefix = "Uniscale.";

    private static readonly string[] Lines = File.ReadAllLines(Repository.PathOf("docs/architecture.md"));

    /// <summary>Folders below src/ that the tree names, in the page's order.</summary>
    public static IReadOnlyList<string> Tree { get; } =
    [
        .. Lines
            .SkipWhile(line => line.Trim() != "src/")
            .Skip(1)
            .TakeWhile(line => line.StartsWith("      ", StringComparison.Ordinal))
            .Select(line => line.Trim().Split('/')[0]),
    ];

    /// <summary>Top folders that the tree names beside src/.</summary>
    public static IReadOnlyList<string> TopFolders { get; } =
    [
        .. Lines
            .SkipWhile(line => line.Trim() != "src/")
            .TakeWhile(line => line.StartsWith("    ", StringComparison.Ordinal))
            .SelectMany(line => TopFolder().Matches(line).Select(match => match.Groups[1].Value)),
    ];

    /// <summary>Each project with what it reads, without the common prefix.</summary>
    public static IReadOnlyDictionary<string, IReadOnlySet<string>> Arrows { get; } =
        Lines
            .Select(line => Arrow().Match(line))
            .Where(match => match.Success)
            .ToDictionary(match => match.Groups[1].Value, match => (IReadOnlySet<string>)Names(match.Groups[2].Value));

    /// <summary>Inside a project, each folder with what it reads; drawn for Engine.</summary>
    public static IReadOnlyDictionary<string, IReadOnlySet<string>> EngineArrows { get; } =
        Lines
            .Select(line => InnerArrow().Match(line))
            .Where(match => match.Success)
            .ToDictionary(match => match.Groups[1].Value, match => (IReadOnlySet<string>)Names(match.Groups[2].Value));

    /// <summary>The short name of a project, folder or assembly.</summary>
    public static string Short(string name) => name.StartsWith(Prefix, StringComparison.Ordinal) ? name[Prefix.Length..] : name;

    private static HashSet<string> Names(string list) =>
        [.. list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];

    [GeneratedRegex(@"^    ([A-Z]\w+) +─►(.*)$")]
    private static partial Regex Arrow();

    [GeneratedRegex(@"^    Engine/([A-Z]\w+) +─►(.*)$")]
    private static partial Regex InnerArrow();

    [GeneratedRegex(@"(?:^    |  )([a-z]+)/(?=\s|$)")]
    private static partial Regex TopFolder();
}
