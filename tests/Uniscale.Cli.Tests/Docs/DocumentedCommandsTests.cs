using System.Text.RegularExpressions;

namespace Uniscale.Cli.Tests.Docs;

/// <summary>Every command line in the README and in docs is one that the program takes, and every path in it exists.</summary>
public sealed partial class DocumentedCommandsTests
{
    private static readonly string Root = Repository.Root;

    public static TheoryData<string, string> Lines()
    {
        var data = new TheoryData<string, string>();
        foreach (string file in Documents())
            foreach (string line in CommandsOf(File.ReadAllText(Path.Combine(Root, file))))
                data.Add(file, line);
        return data;
    }

    [Theory, MemberData(nameof(Lines))]
    public void TheProgramTakesIt(string file, string line)
    {
        string[] words = WordsOf(line);
        var parsed = Shell.Create().Parse(words);
        // Running text may name a command without what it works on.
        var errors = parsed
            .Errors.Select(error => error.Message)
            .Where(error => !error.StartsWith("Required argument", StringComparison.Ordinal))
            .ToList();
        Assert.True(errors.Count == 0, $"{file}: '{line}': {string.Join("; ", errors)}");
        Assert.NotSame(parsed.RootCommandResult.Command, parsed.CommandResult.Command);
        foreach (string path in words.Where(word => word.StartsWith("configs/", StringComparison.Ordinal)))
            Assert.True(File.Exists(Path.Combine(Root, path)), $"{file}: '{line}': there is no {path}");
    }

    [Fact]
    public void TheDocumentsHoldCommandsAtAll() => Assert.True(Lines().Count > 10);

    [Fact]
    public void EveryScriptThatIsNamedExists()
    {
        foreach (string file in Documents())
            foreach (Match match in Script().Matches(File.ReadAllText(Path.Combine(Root, file))))
                Assert.True(File.Exists(Path.Combine(Root, match.Value)), $"{file} names {match.Value}, which is not there");
    }

    [Fact]
    public void EveryLinkWithinTheRepositoryLeadsSomewhere()
    {
        foreach (string file in Documents())
            foreach (Match match in Link().Matches(File.ReadAllText(Path.Combine(Root, file))))
            {
                string target = match.Groups[1].Value;
                if (target.Contains("://", StringComparison.Ordinal) || target.StartsWith('#'))
                    continue;
                string path = Path.Combine(Root, Path.GetDirectoryName(file)!, target.Split('#')[0]);
                Assert.True(Path.Exists(path), $"{file} links to {target}, which is not there");
            }
    }

    [Theory]
    [InlineData("doctor")]
    [InlineData("config {root}/configs/quickstart.yaml")]
    [InlineData("program {root}/configs/tests/verify-tiny.yaml --ranks 1")]
    public void TheQuickCommandsOfTheReadmeSucceed(string line)
    {
        var (code, output, error) = CommandRun.Of([
            .. line.Split(' ').Select(word => word.Replace("{root}", Root, StringComparison.Ordinal)),
        ]);
        Assert.True(code == 0, error);
        Assert.NotEmpty(output);
    }

    private static IEnumerable<string> Documents() =>
        new[] { "README.md", "CONTRIBUTING.md" }
            .Concat(
                Directory
                    .EnumerateFiles(Path.Combine(Root, "docs"), "*.md", SearchOption.AllDirectories)
                    .Select(path => Path.GetRelativePath(Root, path))
            )
            .Order();

    /// <summary>Lines of code blocks and code in running text that call the program; lines with "…" are only sketches.</summary>
    private static IEnumerable<string> CommandsOf(string text) =>
        Command().Matches(text).Select(match => match.Groups[1].Value.Trim()).Where(line => !line.Contains('…'));

    private static string[] WordsOf(string line) =>
        [.. Word().Matches(line.Split("  #")[0].Split(" > ")[0]).Select(match => match.Value.Trim('"').Trim('\''))];

    [GeneratedRegex(@"(?:^(?:    )?|`)(?:scripts/)?uniscale ([a-z][^`\n]*)", RegexOptions.Multiline)]
    private static partial Regex Command();

    [GeneratedRegex("""'[^']*'|"[^"]*"|[^\s]+""")]
    private static partial Regex Word();

    [GeneratedRegex(@"\b(?:scripts|tests/benchmarks)/[a-z_-]+(?:\.sh|\.py)\b")]
    private static partial Regex Script();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();
}
