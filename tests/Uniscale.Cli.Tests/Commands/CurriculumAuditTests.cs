using Uniscale.Data;

namespace Uniscale.Cli.Tests.Commands;

/// <summary>Real runs through phases, on one, two and four ranks, stopped, resumed and forked: what they were fed, read again.</summary>
public sealed class CurriculumAuditTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("uniscale-audit-").FullName;

    public CurriculumAuditTests()
    {
        var random = new Random(3);
        foreach (string source in (string[])["web", "books", "code"])
        {
            using var writer = new ShardWriter(In(source), 64);
            for (int document = 0; document < 2000; document++)
                writer.Add([.. Enumerable.Range(0, random.Next(5, 60)).Select(_ => random.Next(64))]);
            writer.Complete();
        }
        File.WriteAllText(
            In("run.yaml"),
            $$"""
            name: phased
            model: { layers: 1, hidden: 16, heads: 2, ffn: 32, context: 16, vocabulary: 64 }
            data:
              max_epochs: 1
              sources:
                - { name: web, domain: web, shards: ["{{In("web")}}"] }
                - { name: books, domain: books, shards: ["{{In("books")}}"] }
                - { name: code, domain: code, shards: ["{{In("code")}}"] }
            batch: { global: 32 }
            train: { threads: 1 }
            logging: { tensor_board: false, peak_flops: 1G }
            phases:
              - { name: broad, tokens: 32000, mixture: { web: 0.7, books: 0.2, code: 0.1 }, batch: { ramp: { 0: 16, 4K: 32 } } }
              - { name: long, tokens: 32000, mixture: { web: 0.3, books: 0.3, code: 0.4 }, context: 32, batch: { global: 16 } }
              - { name: last, tokens: 4000, mixture: { code: 1 }, context: 32, batch: { global: 16 } }
            """
        );
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void One_two_and_four_ranks_and_a_resumed_run_are_fed_the_same_in_the_proportions_of_the_mixture()
    {
        foreach (int ranks in (int[])[1, 2, 4])
            Train($"run{ranks}", "--ranks", $"{ranks}");
        Train("broken", "--ranks", "2", "--stop-after", "50");
        Train("broken", "--ranks", "4", "--resume");

        string output = Ok("run1", "--like", In("run2"), "--like", In("run4"), "--like", In("broken"));
        int steps = File.ReadLines(In("run1/metrics.jsonl")).Count(line => line.Contains("\"kind\":\"step\"", StringComparison.Ordinal));
        foreach (string other in (string[])["run2", "run4", "broken"])
            Assert.Contains($"{steps} steps of {In("run1")} and {In(other)} were fed the same.", output);
        Assert.Contains($"{steps} steps were fed what the data holds where the curriculum says: all digests agree.", output);
        Assert.Contains("has the same counts", output);
        Assert.Matches(@"off the mixture by at most 0\.0\d\d points, 0\.\d of a sequence", output);
        Assert.All(new[] { "web", "books", "code" }, source => Assert.Matches($"(?m)^{source}: .* none more than 1 time", output));
    }

    [Fact]
    public void A_fork_with_another_mixture_repeats_nothing_of_the_run_before()
    {
        // A directory of checkpoints that the configuration names stays the first run's.
        Train("run1", "--set", $"checkpoint.directory={In("disk")}");
        var (code, _, error) = CommandRun.Of(
            "curriculum",
            "fork",
            In("run1"),
            "--phase",
            "2",
            "--out",
            In("fork"),
            "--set",
            "phases[1].mixture={ web: 0.8, books: 0.1, code: 0.1 }",
            "--set",
            "phases[2].mixture={ books: 1 }"
        );
        Assert.Equal((0, ""), (code, error));
        (code, _, error) = CommandRun.Of("train", In("fork/fork.yaml"), "--resume");
        Assert.True(code == 0, error);

        string whole = Ok("fork", "--continues", In("run1"));
        Assert.Contains("The ledger at ", whole);
        Assert.Contains("has the same counts", whole);
        Assert.All(new[] { "web", "books", "code" }, source => Assert.Matches($"(?m)^{source}: .* none more than 1 time", whole));
        Assert.Contains("what was fed before is not compared", Ok("fork"));
        Assert.Contains("was fed something else", Refused("fork", "--like", In("run1")));
    }

    [Fact]
    public void What_was_not_fed_so_is_named()
    {
        Train("run1", "--stop-after", "9");
        string metrics = File.ReadAllText(In("run1/metrics.jsonl"));
        int digest = metrics.LastIndexOf("\"data_digest\":\"", StringComparison.Ordinal) + 15;
        File.WriteAllText(In("run1/metrics.jsonl"), metrics[..digest] + (metrics[digest] == '0' ? '1' : '0') + metrics[(digest + 1)..]);
        Assert.Contains("Step 9 of", Refused("run1"));
        File.WriteAllText(In("run1/metrics.jsonl"), metrics);
        Ok("run1");
        byte[] tokens = File.ReadAllBytes(In("web.bin"));
        for (int i = 0; i < tokens.Length; i += 2)
            tokens[i] ^= 1;
        File.WriteAllBytes(In("web.bin"), tokens);
        Assert.Contains("was fed other tokens than the data holds there now", Refused("run1"));
        Assert.Contains("metrics.jsonl does not exist", Refused("nowhere"));
    }

    private void Train(string name, params string[] arguments)
    {
        var (code, _, error) = CommandRun.Of(["train", In("run.yaml"), "--set", $"run_directory={In(name)}", .. arguments]);
        Assert.True(code == 0, error);
    }

    private string Ok(string name, params string[] arguments)
    {
        var (code, output, error) = CommandRun.Of(["curriculum", "audit", In(name), .. arguments]);
        Assert.Equal((0, ""), (code, error));
        return output;
    }

    private string Refused(string name, params string[] arguments)
    {
        var (code, _, error) = CommandRun.Of(["curriculum", "audit", In(name), .. arguments]);
        Assert.Equal(2, code);
        Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        return error;
    }

    private string In(string path) => Path.Combine(_root, path);
}
