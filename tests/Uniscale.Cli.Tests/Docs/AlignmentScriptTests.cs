using System.Diagnostics;
using System.Text.RegularExpressions;
using static Uniscale.Cli.Tests.CommandRun;

namespace Uniscale.Cli.Tests.Docs;

/// <summary>scripts/alignment.sh goes its whole way with a tiny model and a few steps.</summary>
public sealed partial class AlignmentScriptTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ASmallFormEndsInTheTable()
    {
        Nightly.Only();
        foreach (string folder in (string[])["scripts", "configs", "configs/alignment", "configs/base", "text", "corpus"])
            Directory.CreateDirectory(_folder.In(folder));
        foreach (
            string file in (string[])
                [
                    "scripts/alignment.sh",
                    "scripts/alignment.py",
                    "configs/quickstart.yaml",
                    "configs/base/corpus.yaml",
                    .. Directory
                        .GetFiles(Path.Combine(Repository.Root, "configs", "alignment"))
                        .Select(path => $"configs/alignment/{Path.GetFileName(path)}"),
                ]
        )
            File.WriteAllText(_folder.In(file), Small(File.ReadAllText(Path.Combine(Repository.Root, file))));
        // Questions about packages are not in the vocabulary of the decisions, and need not be.
        foreach (string page in Directory.GetFiles(Path.Combine(Repository.Root, "docs", "decisions"), "01*.md"))
            File.Copy(page, Path.Combine(_folder.In("text"), Path.GetFileName(page)));
        string tokenizer = _folder.In("corpus/tokenizer.model");
        Ok("data", "import", _folder.In("text"), "--domain", "web", "--out", _folder.In("store"));
        Ok("tokenizer", "train", _folder.In("store"), "--vocabulary", "512", "--out", tokenizer);
        Ok("data", "tokenize", _folder.In("store"), "--tokenizer", tokenizer, "--out", _folder.In("corpus/tokens"));
        File.WriteAllText(
            _folder.In("configs/base.yaml"),
            """
            extends: quickstart.yaml
            name: base
            data:
              sources: [{ name: web, domain: web, shards: [corpus/tokens/web.train] }]
              validation: []
            """
        );
        Run(Path.Combine(AppContext.BaseDirectory, "uniscale"), "train", "configs/base.yaml");
        string output = Run("bash", "scripts/alignment.sh");
        Assert.Contains("All rounds are done", output);
        Assert.Matches(@"correct +\d+ +[0-9.]+%", output);
        foreach (string row in (string[])["SFT", "PPO", "PPO, deceived", "COOL"])
            Assert.Matches($@"(?m)^{row} +[01]\.\d{{3}} +0\.\d{{3}} +-?\d", output);
    }

    /// <summary>The same with few layers, steps and prompts.</summary>
    private static string Small(string text)
    {
        text = Steps().Replace(text, "steps: 4");
        foreach (
            var (large, small) in (ReadOnlySpan<(string, string)>)
                [
                    ("layers: 6", "layers: 1"),
                    ("hidden: 384", "hidden: 32"),
                    ("heads: 6", "heads: 2"),
                    ("ffn: 1024", "ffn: 64"),
                    ("vocabulary: 8192", "vocabulary: 512"),
                    ("prompts: 48", "prompts: 8"),
                    ("max_tokens: 48", "max_tokens: 12"),
                    ("critic_warmup: 2", "critic_warmup: 1"),
                    ("early: 8", "early: 2"),
                    ("every: 40", "every: 4"),
                ]
        )
            text = text.Replace(large, small, StringComparison.Ordinal);
        return text;
    }

    private string Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder.In(""),
        };
        foreach (
            var (name, value) in (ReadOnlySpan<(string, string)>)
                [
                    ("UNISCALE", Path.Combine(AppContext.BaseDirectory, "uniscale")),
                    ("UNISCALE_PLAIN", "1"),
                    ("UNISCALE_BASE", "runs/base"),
                    ("UNISCALE_CORPUS", "corpus"),
                    ("PACKAGES", "60"),
                ]
        )
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        Assert.True(process.WaitForExit(Limit), $"{program} does not end");
        Assert.True(process.ExitCode == 0, $"{program} ended with {process.ExitCode}: {error.Result} {output.Result}");
        return output.Result;
    }

    [GeneratedRegex(@"(?<=\n  )steps: \d+")]
    private static partial Regex Steps();
}
