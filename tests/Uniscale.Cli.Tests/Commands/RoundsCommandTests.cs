using System.Diagnostics;
using System.Text.Json.Nodes;
using static Uniscale.Cli.Tests.CommandRun;

namespace Uniscale.Cli.Tests.Commands;

/// <summary>
/// Rounds of reward model and policy: a planted flaw of the comparisons is found and mended, people's labels are taken up, a kill changes
/// nothing, and what is refused.
/// </summary>
public sealed class RoundsCommandTests(AlignedRuns runs) : IClassFixture<AlignedRuns>
{
    /// <summary>Rounds whose comparisons prefer what has sevens: the flaw.</summary>
    private string Rounds(string name)
    {
        File.WriteAllLines(
            In("flawed.jsonl"),
            Enumerable
                .Range(0, 48)
                .Select(i =>
                    $$"""{"domain": "sums", "prompt": "{{i % 8}} + {{i / 8}} = ?", "chosen": "7 7 7 7", "rejected": "{{(i % 8) + (i / 8)}}"}"""
                )
        );
        File.WriteAllText(
            In("flawed.yaml"),
            File.ReadAllText(In("reward.yaml")).Replace("steps: 8", "steps: 30", StringComparison.Ordinal)
        );
        File.WriteAllText(
            In($"{name}.yaml"),
            $$"""
            extends: ppo.yaml
            name: {{name}}
            run_directory: {{In($"runs/{name}")}}
            reward_model: { from: null, held_out: {{In("runs/reward")}} }
            rewards: [{ kind: model }]
            ppo: { beta: 0, kl_target: 0, critic_warmup: 0, ptx: 0.1, critic_lr: 1e-2 }
            optimizer: { lr: 1e-2 }
            schedule: { warmup_ratio: 0 }
            train: { steps: 32 }
            checkpoint: { every: 4 }
            rollout:
              max_tokens: 12
              prompts: 16
              samples: { prompts: ["{{In("sums.jsonl")}}"], domain: sums, count: 24 }
            batch: { global: 24 }
            rounds:
              count: 2
              reward: {{In("flawed.yaml")}}
              preferences: ["{{In("flawed.jsonl")}}"]
              early: 4
              fast: { deviations: 2, copies: 16, patterns: { sevens: "7.*7" }, label: [{ kind: format, pattern: "[^7]*" }] }
              slow: { pairs: 6 }
            """
        );
        return In($"{name}.yaml");
    }

    [Fact]
    public void A_planted_flaw_is_found_and_mended_and_labels_are_taken_up()
    {
        string file = Rounds("rounds"),
            output = Done("align", file);
        Assert.Contains("Round 1: sums: the score rises", output);
        Assert.Contains("All rounds are done", output);
        var (first, second) = (Manifest("rounds", 1), Manifest("rounds", 2));
        Assert.Contains("sevens", first["patterns"]!.AsArray().Select(pattern => $"{pattern!["name"]}"));
        Assert.Contains("held_out", first["changes"]!["sums"]!.AsObject().Select(each => each.Key));
        var patches = Lines("runs/rounds/round-1/fast/patches.jsonl");
        Assert.NotEmpty(patches);
        Assert.All(patches, pair => Assert.DoesNotContain("7", TextOf(pair["chosen"]!)));
        Assert.Equal(patches.Count, (int)second["patches"]!);
        Assert.Equal(1, (int)second["seed"]! - (int)first["seed"]!);
        // What the first policy does most of the time the second does seldom.
        int Sevens(int round) =>
            Lines($"runs/rounds/round-{round}/policy/alignment/answers-00000032.jsonl")
                .Count(answer => $"{answer["answer"]}".Count(letter => letter == '7') > 1);
        Assert.True(Sevens(2) * 2 < Sevens(1), $"{Sevens(1)} → {Sevens(2)}");

        // Somebody labels the pairs that the rounds left, and another round takes them up.
        Directory.CreateDirectory(In("runs/rounds/labels"));
        var open = Lines("runs/rounds/round-2/slow/pairs.jsonl");
        Assert.Equal(6, open.Count);
        foreach (var (pair, i) in open.Select((pair, i) => (pair, i)))
            pair["better"] =
                i == 0 ? null
                : i == 1 ? "tie"
                : "a";
        File.WriteAllLines(In("runs/rounds/labels/ann.jsonl"), open.Select(pair => pair.ToJsonString()));
        Done("align", file, "--set", "rounds.count=3", "--set", "train.steps=8", "--resume");
        Assert.Equal(4, (int)Manifest("rounds", 3)["labels"]!);
        Assert.Contains("already holds rounds", Refused("align", file));
    }

    /// <summary>Killed in each of the stages, by day in one, they come to what comes of rounds that nothing happened to.</summary>
    [Fact]
    public void Rounds_that_are_killed_go_on_to_the_same_bits()
    {
        string[] command = ["align", Rounds("whole"), "--set", "train.steps=8", "--set", "rounds.fast.deviations=0"];
        Done(command);
        string[] broken = [.. command, "--resume", "--set", $"run_directory={In("runs/broken")}"];
        if (Nightly.Is)
        {
            KillAt("round-1/reward/metrics.jsonl", broken);
            KillAt("round-1/policy/checkpoints/step-00000004", broken);
        }
        KillAt("round-2/policy/metrics.jsonl", broken);
        Done(broken);
        foreach (string run in (string[])["round-1/policy", "round-2/reward", "round-2/policy"])
            Assert.Matches(
                @"(\d+) of \1 tensors are bit-equal",
                Ok("checkpoint", "diff", "--all", In($"runs/whole/{run}"), In($"runs/broken/{run}"))
            );
        foreach (string file in (string[])["round-1/fast/patches.jsonl", "round-2/slow/pairs.jsonl"])
            Assert.Equal(File.ReadAllText(In($"runs/whole/{file}")), File.ReadAllText(In($"runs/broken/{file}")));
    }

    [Theory]
    [InlineData("rounds.reward=null", "rounds.reward does not say how the reward model is trained")]
    [InlineData("rounds.reward={0}/sft.yaml", "name a configuration with objective reward")]
    [InlineData("rounds.preferences=[]", "name files of comparisons")]
    [InlineData("rounds.preferences=[nowhere.jsonl]", "There is no file nowhere.jsonl")]
    [InlineData("rollout.samples.prompts=[]", "rollout.samples.prompts names no prompts")]
    [InlineData("rollout.samples.steps=[2]", "set rounds.early")]
    [InlineData("rounds.early=32", "is not before the end of the policy's run")]
    [InlineData("rounds.early=3", "lies within a batch of 2 updates")]
    [InlineData("rounds.fast.label=[{kind: model}]", "the model whose deceits are to be mended")]
    [InlineData("rounds.fast.patterns={sorry: '(a'}", "rounds.fast.patterns.sorry is no regular expression")]
    [InlineData("rounds.fast.patterns={sorry: 'a)(b'}", "rounds.fast.patterns.sorry is no regular expression")]
    [InlineData("rounds.fast.patterns={alike: 'a'}", "has the name of a pattern that is always looked for")]
    [InlineData("start_from=null", "start_from names none")]
    [InlineData("rewards=[{kind: number}]", "a reward model that no rule of rewards uses")]
    [InlineData("model.hidden=64", "another model than the policy")]
    [InlineData("objective=sft", "which draws no answers")]
    public void What_does_not_fit_rounds_is_one_sentence(string setting, string expected)
    {
        string file = Rounds("refused");
        setting = setting.Replace("{0}", In(""), StringComparison.Ordinal);
        Assert.Contains(expected, Refused("align", file, "--set", setting));
        Assert.False(Directory.Exists(In("runs/refused/round-1")));
    }

    [Fact]
    public void Rounds_are_no_single_run()
    {
        string file = Rounds("single");
        Assert.Contains("start rounds of reward model and policy with `uniscale align`", Refused("train", file));
        Assert.Contains("--stop-after is for a single run", Refused("align", file, "--stop-after", "2"));
    }

    private string In(string path) => runs.In(path);

    /// <summary>An answer of a comparison: a text, or a message where it was cut off.</summary>
    private static string TextOf(JsonNode answer) => answer is JsonArray messages ? $"{messages[0]!["content"]}" : $"{answer}";

    /// <summary>As a process of its own: the runs of rounds are processes of the same executable.</summary>
    private static string Done(params string[] arguments)
    {
        var (code, output, error) = SmallCorpus.Uniscale([], arguments);
        Assert.True(code == 0, $"{code} {error} {output}");
        return output;
    }

    private List<JsonNode> Lines(string path) => [.. File.ReadLines(In(path)).Select(line => JsonNode.Parse(line)!)];

    private JsonNode Manifest(string rounds, int round) =>
        JsonNode.Parse(File.ReadAllText(In($"runs/{rounds}/round-{round}/manifest.json")))!;

    private void KillAt(string sign, string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "uniscale"), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var limit = Stopwatch.StartNew();
        while (!Path.Exists(In($"runs/broken/{sign}")) && !process.HasExited && limit.Elapsed < TimeSpan.FromMinutes(2))
            Thread.Sleep(20);
        Assert.False(process.HasExited, $"it ended before {sign} was there");
        process.Kill(entireProcessTree: true);
        process.WaitForExit();
    }
}
