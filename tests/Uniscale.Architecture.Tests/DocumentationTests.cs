using System.Text.RegularExpressions;

namespace Uniscale.Architecture.Tests;

/// <summary>
/// The documentation is one tree: each page is reached from the index, each link leads somewhere, each decision has the same parts.
/// </summary>
public sealed partial class DocumentationTests
{
    private static readonly string[] Parts = ["Status", "Context", "Choice", "Cost"];

    private static readonly IReadOnlyList<string> Pages =
    [
        .. Directory
            .EnumerateFiles(Repository.PathOf("docs"), "*.md", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Repository.Root, path))
            .Order(StringComparer.Ordinal),
    ];

    public static TheoryData<string> Decisions() => [.. Pages.Where(page => DecisionName().IsMatch(page))];

    [Fact]
    public void EachPageIsReachedFromTheIndex()
    {
        var reached = new HashSet<string>();
        var next = new Queue<string>(["docs/index.md"]);
        while (next.TryDequeue(out string? page))
            if (reached.Add(page))
                foreach (var (target, _) in LinksOf(page))
                    if (
                        target.EndsWith(".md", StringComparison.Ordinal)
                        && target.StartsWith("docs/", StringComparison.Ordinal)
                        && File.Exists(Repository.PathOf(target))
                    )
                        next.Enqueue(target);
        Assert.Empty(Pages.Except(reached));
    }

    [Fact]
    public void TheReadmeLinksToTheIndex() => Assert.Contains(LinksOf("README.md"), link => link.Target == "docs/index.md");

    [Fact]
    public void EachLinkLeadsToAFileAndAHeading()
    {
        string[] tops = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"];
        var dead =
            from page in Pages.Concat(tops)
            from link in LinksOf(page)
            where
                !Path.Exists(Repository.PathOf(link.Target)) || (link.Heading.Length > 0 && !HeadingsOf(link.Target).Contains(link.Heading))
            select $"{page}: {link.Target}#{link.Heading}";
        Assert.Empty(dead);
    }

    [Theory, MemberData(nameof(Decisions))]
    public void ADecisionHasTheParts(string page)
    {
        string[] lines = File.ReadAllLines(Repository.PathOf(page));
        Assert.StartsWith($"# {Path.GetFileName(page)[..4]}: ", lines[0], StringComparison.Ordinal);
        Assert.Equal(Parts, lines.Where(line => line.StartsWith("## ", StringComparison.Ordinal)).Select(line => line[3..]));
    }

    [Fact]
    public void DecisionsHaveNumbersOfTheirOwn() =>
        Assert.Empty(
            Pages
                .Select(page => DecisionName().Match(page))
                .Where(match => match.Success)
                .GroupBy(match => match.Groups[1].Value)
                .Where(group => group.Count() > 1)
                .Select(group => group.Key)
        );

    private static IEnumerable<(string Target, string Heading)> LinksOf(string page)
    {
        foreach (Match match in Link().Matches(File.ReadAllText(Repository.PathOf(page))))
        {
            string[] parts = match.Groups[1].Value.Split('#');
            if (parts[0].Contains("://", StringComparison.Ordinal) || parts[0].StartsWith("mailto:", StringComparison.Ordinal))
                continue;
            string path =
                parts[0].Length == 0
                    ? page
                    : Path.GetRelativePath(
                        Repository.Root,
                        Path.GetFullPath(Path.Combine(Repository.Root, Path.GetDirectoryName(page)!, parts[0]))
                    );
            yield return (path, parts.Length > 1 ? parts[1] : "");
        }
    }

    /// <summary>Anchors of a page, as forges make them of its headings.</summary>
    private static HashSet<string> HeadingsOf(string page) =>
        [
            .. File.ReadAllLines(Repository.PathOf(page))
                .Where(line => line.StartsWith('#'))
                .Select(line => NotInAnchors().Replace(line.TrimStart('#').Trim().ToLowerInvariant(), "").Replace(' ', '-')),
        ];

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"docs/decisions/(\d{4})-")]
    private static partial Regex DecisionName();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchors();
}
