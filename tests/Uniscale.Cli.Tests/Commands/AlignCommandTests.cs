using System.Text.Json;
using Uniscale.Corpus;
using Uniscale.Corpus.Chat;
using static Uniscale.Cli.Tests.CommandRun;

namespace Uniscale.Cli.Tests.Commands;

/// <summary>Runs that learn from answers of their own: their metrics, a kill inside a batch, several ranks, and what is refused.</summary>
public sealed class AlignCommandTests(AlignedRuns runs) : IClassFixture<AlignedRuns>
{
    [Fact]
    public void A_run_tells_of_its_answers_and_goes_on_after_a_kill_inside_a_batch()
    {
        Ok("align", In("grpo.yaml"));
        var steps = Measures("grpo", "step");
        Assert.Equal(8, steps.Count);
        foreach (
            string name in (string[])
                [
                    "objective/kl",
                    "objective/rlhf_reward",
                    "objective/scores",
                    "objective/entropy",
                    "objective/beta",
                    "policy/approxkl_avg",
                    "policy/clipfrac_avg",
                    "val/ratio",
                    "val/num_eos_tokens",
                    "val/logprob_gap",
                    "reward/number",
                    "reward/format",
                    "answer/length",
                    "answer/ended",
                    "answer/distinct2",
                    "frac_reward_zero_std",
                ]
        )
            Assert.All(steps, step => Assert.Contains(name, step.Keys));
        Assert.Equal((0, 0), (steps[0]["objective/kl"], steps[0]["val/log_ratio"]));
        Assert.Contains(steps, step => step["reward/format"] > 0);
        Assert.NotEqual(steps[0]["objective/beta"], steps[2]["objective/beta"]);
        var held = Measures("grpo", "validation");
        Assert.Equal(2, held.Count);
        Assert.All(held, validation => Assert.Contains("reward/number", validation.Keys));

        string[] elsewhere = ["align", In("grpo.yaml"), "--set", $"run_directory={In("runs/killed")}"];
        var (code, _, error) = SmallCorpus.Uniscale(
            [],
            [.. elsewhere, "--set", "faults.enabled=true", "--set", "faults.inject=[{kind: kill, step: 6}]"]
        );
        Assert.True(code == 137, $"{code} {error}");
        Assert.Equal(6, Measures("killed", "step").Count + 1);
        Ok([.. elsewhere, "--resume"]);
        Assert.Matches(@"(\d+) of \1 tensors are bit-equal", Ok("checkpoint", "diff", In("runs/grpo"), In("runs/killed")));

        Ok("align", In("grpo.yaml"), "--ranks", "2", "--set", $"run_directory={In("runs/two")}");
        foreach (var (one, two) in steps.Zip(Measures("two", "step")))
            Assert.Equal(one["objective/scores"], two["objective/scores"], 1e-12);
    }

    /// <summary>
    /// Policy, critic, reference and reward model together, and text that is not to be forgotten; the policy rests in the first batch.
    /// </summary>
    [Fact]
    public void A_critic_and_a_reward_model_go_on_after_a_kill()
    {
        Ok("align", In("ppo.yaml"));
        var steps = Measures("ppo", "step");
        foreach (string name in (string[])["reward/model", "loss/value_avg", "critic/grad", "objective/non_score_reward", "loss/ptx"])
            Assert.Contains(name, steps[4].Keys);
        Assert.DoesNotContain("loss/ptx", steps[1].Keys);
        Assert.Equal((0, 0), (steps[0]["objective/kl"], steps[2]["objective/kl"]));
        Assert.NotEqual(0, steps[4]["objective/kl"]);
        Assert.NotEqual(0, steps[0]["reward/model"]);
        string[] elsewhere = ["align", In("ppo.yaml"), "--set", $"run_directory={In("runs/ppo-killed")}"];
        var (code, _, error) = SmallCorpus.Uniscale(
            [],
            [.. elsewhere, "--set", "faults.enabled=true", "--set", "faults.inject=[{kind: kill, step: 6}]"]
        );
        Assert.True(code == 137, $"{code} {error}");
        Ok([.. elsewhere, "--resume"]);
        string diff = Ok("checkpoint", "diff", "--all", In("runs/ppo"), In("runs/ppo-killed"));
        Assert.Matches(@"(\d+) of \1 tensors are bit-equal", diff);
        Assert.Contains("critic/optimizer.m/", diff);
        Ok("align", In("ppo.yaml"), "--ranks", "2", "--set", $"run_directory={In("runs/ppo-two")}");
        foreach (var (one, two) in steps.Zip(Measures("ppo-two", "step")))
            Assert.Equal(one["reward/model"], two["reward/model"], 1e-4);
        Assert.NotEqual("", Ok("generate", In("runs/ppo"), "--prompt", "1 + 1 = ?", "--tokens", "4"));
    }

    /// <summary>
    /// A gradient that is not finite inside a batch ends the run where the configuration says so; it goes on from the batch before, with
    /// the bits of a run that nothing happened to.
    /// </summary>
    [Fact]
    public void A_bad_step_inside_a_batch_leaves_a_run_that_goes_on()
    {
        string[] broken = ["align", In("grpo.yaml"), "--set", $"run_directory={In("runs/bad")}", "--set", "bad_steps.not_finite=stop"];
        string[] faults = ["--set", "faults.enabled=true", "--set", "faults.inject=[{kind: nan-gradient, step: 6}]"];
        Assert.Equal(1, Of([.. broken, .. faults]).Code);
        Ok([.. broken, "--resume"]);
        Ok("align", In("grpo.yaml"), "--set", $"run_directory={In("runs/whole")}");
        Assert.Matches(@"(\d+) of \1 tensors are bit-equal", Ok("checkpoint", "diff", In("runs/whole"), In("runs/bad")));
    }

    [Theory]
    [InlineData("reward_model.from={0}/runs/sft", "gives no scores: set it to a run with objective reward")]
    [InlineData("reward_model.from=null", "reward_model.from names none")]
    [InlineData("rewards=[{kind: number}]", "no rule of rewards uses")]
    [InlineData("rollout.temperature=0.7", "at which text would be learned too")]
    [InlineData("ppo.ptx_sequences=0", "an update has no text")]
    [InlineData("ppo.ptx_sequences=16", "leaves no sequence of batch.global 16 to the answers")]
    [InlineData(
        "reward_model.conditions={sums: '0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9'}",
        "shorten prompts and conditions"
    )]
    [InlineData("reward_model.token=nowhere", "is not in the vocabulary")]
    [InlineData("ppo.critic_from={0}/nowhere", "There is no folder")]
    [InlineData("ppo.preset=trlx", "did you mean 'trl'?")]
    public void What_does_not_fit_beside_a_critic_is_one_sentence(string setting, string expected) =>
        Assert.Contains(expected, RefusedOf("ppo", setting.Replace("{0}", In(""), StringComparison.Ordinal)));

    /// <summary>Weights that were trained on other text for the same tokens are no critic, and their scores are of nothing.</summary>
    [Theory]
    [InlineData("ppo.critic_from")]
    [InlineData("reward_model.from")]
    [InlineData("reward_model.held_out")]
    public void Weights_of_another_tokenizer_stand_beside_no_run(string key) =>
        Assert.Matches(
            $@"{key} names \S+, which was trained on the tokens of \S+\.model; in data\.tokenizer \S+sums\.model, \d+ of 300 of them stand for other text",
            RefusedOf("ppo", $"{key}={In("runs/foreign")}")
        );

    [Theory]
    [InlineData("train.steps=7", "train.steps 7 lies within a batch of 2 updates")]
    [InlineData("checkpoint.every=3", "checkpoint.every 3 lies within a batch of 2 updates")]
    [InlineData("evaluation.every=5", "evaluation.every 5 lies within a batch of 2 updates")]
    [InlineData("rewards=[]", "nothing says what an answer is rewarded for")]
    [InlineData("rewards=[{kind: format}]", "rewards[0].pattern does not say which")]
    [InlineData("rewards=[{kind: format, pattern: '(a'}]", "rewards[0].pattern is no regular expression")]
    [InlineData("rewards=[{kind: format, pattern: '(?=a)b'}]", "rewards[0].pattern is no regular expression")]
    [InlineData("rewards=[{kind: exact, pattern: a}]", "rewards[0].pattern is for kind format")]
    [InlineData("rollout.minibatches=3", "set rollout.minibatches to a divisor")]
    [InlineData("rollout.max_tokens=96", "leaves no room for a prompt")]
    [InlineData("rollout.max_tokens=94", "None of the")]
    [InlineData("batch.global=1", "may need")]
    [InlineData("start_from=null", "set start_from to a run, a checkpoint or an imported model")]
    [InlineData("train={tokens: 1000}", "set train.steps, a multiple of 2, instead of train.tokens")]
    [InlineData("bad_steps.loss_spike=rollback", "a rollback of bad steps would learn from answers of other weights")]
    [InlineData("data.tokenizer=null", "data.tokenizer")]
    [InlineData("rollout.template=chatml2", "chatml2")]
    [InlineData("objective=sft", "start it with `uniscale train`")]
    public void What_does_not_fit_is_one_sentence(string setting, string expected) => Assert.Contains(expected, RefusedOf("grpo", setting));

    [Fact]
    public void Comparisons_that_cannot_be_scored_are_one_sentence()
    {
        File.WriteAllText(In("nothing.yaml"), "");
        string[] score = ["align", "score", In("runs/reward"), "--reward-token", "{eos}", "--data"];
        Assert.Contains(
            "nothing.yaml has no conditions: write a line for each domain",
            Refused([.. score, In("pairs.jsonl"), "--conditions", In("nothing.yaml")])
        );
        Assert.EndsWith("with no chosen); check the files of --data.", Refused([.. score, In("sums.jsonl")]).TrimEnd());
    }

    [Fact]
    public void A_stop_inside_a_batch_is_refused() =>
        Assert.Contains("give a multiple of 2", Refused("align", In("grpo.yaml"), "--stop-after", "3"));

    private string In(string path) => runs.In(path);

    /// <summary>With a directory of its own: others have run in the configuration's.</summary>
    private string RefusedOf(string run, string setting) =>
        Refused("align", In($"{run}.yaml"), "--set", $"run_directory={In("runs/refused")}", "--set", setting);

    private List<Dictionary<string, double>> Measures(string run, string kind) =>
        [
            .. File.ReadLines(In($"runs/{run}/metrics.jsonl"))
                .Select(line => JsonDocument.Parse(line).RootElement)
                .Where(record => record.GetProperty("kind").GetString() == kind)
                .Select(record =>
                    record
                        .GetProperty("measures")
                        .EnumerateObject()
                        .ToDictionary(measure => measure.Name, measure => measure.Value.GetDouble())
                ),
        ];
}

/// <summary>A folder with a vocabulary, sums as prompts, and a model to start from; made once.</summary>
public sealed class AlignedRuns : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public AlignedRuns()
    {
        File.WriteAllText(
            In("text.txt"),
            string.Join('\n', Enumerable.Range(0, 200).Select(i => $"user assistant {i} + {i * 3} = ? {i * 4}"))
        );
        TokenizerTrainer.Train(
            DocumentReader.Read(In("text.txt")),
            In("sums.model"),
            new TokenizerTraining
            {
                VocabularySize = 300,
                Threads = 1,
                Symbols = ChatTemplate.Of("internlm2").SpecialTokens,
            }
        );
        File.WriteAllLines(
            In("sums.jsonl"),
            Enumerable.Range(0, 48).Select(i => $$"""{"prompt": "{{i % 8}} + {{i / 8}} = ?", "completion": "{{(i % 8) + (i / 8)}}"}""")
        );
        Ok(
            "data",
            "chat",
            In("sums.jsonl"),
            "--format",
            "prompt",
            "--domain",
            "sums",
            "--tokenizer",
            In("sums.model"),
            "--context",
            "96",
            "--validation",
            "0.2",
            "--out",
            In("store")
        );
        Configure("sft", "objective: sft\ntrain: { steps: 4, threads: 1 }");
        Configure(
            "grpo",
            $$"""
            objective: grpo
            start_from: {{In("runs/sft")}}
            rollout: { prompts: 4, max_tokens: 6, minibatches: 2 }
            grpo: { group: 4, kl_target: 1, kl_horizon: 100 }
            rewards: [{ kind: number }, { kind: format, pattern: "[^0-9]*[0-9]+[^0-9]*", weight: 0.5 }]
            train: { steps: 8, threads: 1 }
            checkpoint: { every: 2 }
            evaluation: { every: 4, sequences: 5 }
            """
        );
        string sources =
            $$"""[{ name: sums, domain: sums, shards: ["{{In("store/sums.train")}}"] }, { name: text, shards: ["{{In("text")}}"] }]""";
        Configure(
            "ppo",
            $$"""
            objective: ppo
            start_from: {{In("runs/sft")}}
            reward_model: { from: {{In("runs/reward")}}, token: "{eos}", conditions: { sums: right } }
            ppo: { critic_warmup: 1, critic_lr: 1e-3, ptx: 0.5, ptx_sequences: 2, kl_target: 1, kl_horizon: 100, normalise_rewards: true, reward_clip: 5 }
            rollout: { prompts: 8, max_tokens: 6, minibatches: 2 }
            rewards: [{ kind: model }, { kind: format, pattern: "[^0-9]*[0-9]+[^0-9]*", weight: 0.5 }]
            train: { steps: 8, threads: 1 }
            checkpoint: { every: 2 }
            """,
            sources,
            "batch: { global: 16, micro: 1 }"
        );
        using (var tokenizer = Uniscale.Data.Tokenizer.Load(In("sums.model")))
        using (var shard = new Uniscale.Data.ShardWriter(In("text"), tokenizer.Size))
        {
            foreach (string line in File.ReadLines(In("text.txt")))
                shard.Add(tokenizer.Encode(line));
            shard.Complete();
        }
        File.WriteAllText(In("conditions.yaml"), "conditions: { sums: right }");
        File.WriteAllLines(
            In("pairs.jsonl"),
            Enumerable
                .Range(0, 48)
                .Select(i => $$"""{"prompt": "{{i % 8}} + {{i / 8}} = ?", "chosen": "{{(i % 8) + (i / 8)}}", "rejected": "{{i}} or so"}""")
        );
        Ok(
            "data",
            "chat",
            In("pairs.jsonl"),
            "--format",
            "preference",
            "--domain",
            "sums",
            "--conditions",
            In("conditions.yaml"),
            "--reward-token",
            "{eos}",
            "--tokenizer",
            In("sums.model"),
            "--context",
            "96",
            "--out",
            In("pairs")
        );
        Configure(
            "reward",
            $$"""
            objective: reward
            start_from: {{In("runs/sft")}}
            train: { steps: 8, threads: 1 }
            """,
            $$"""[{ name: sums, domain: sums, shards: ["{{In("pairs/sums.train")}}"] }]""",
            validation: "[]"
        );
        Ok("train", In("sft.yaml"));
        Ok("train", In("reward.yaml"));
        MakeForeign();
    }

    /// <summary>The reward model once more, as if it had been trained on another vocabulary of the same size.</summary>
    private void MakeForeign()
    {
        foreach (string file in Directory.GetFiles(In("runs/reward"), "*", SearchOption.AllDirectories))
        {
            string copy = In(Path.Combine("runs/foreign", Path.GetRelativePath(In("runs/reward"), file)));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
        TokenizerTrainer.Train(
            DocumentReader.Read(In("text.txt")),
            In("runs/foreign/tokenizer.model"),
            new TokenizerTraining { VocabularySize = 300, Threads = 1 }
        );
    }

    public void Dispose() => _folder.Dispose();

    public string In(string path) => _folder.In(path);

    private void Configure(
        string name,
        string more,
        string? sources = null,
        string batch = "batch: { global: 8, micro: 1 }",
        string? validation = null
    ) =>
        File.WriteAllText(
            In($"{name}.yaml"),
            $$"""
            name: {{name}}
            run_directory: {{In($"runs/{name}")}}
            model: { layers: 1, hidden: 32, heads: 2, ffn: 64, context: 96, init_std: 0.1 }
            data: { tokenizer: {{In("sums.model")}}, sources: {{sources
                ?? $$"""[{ name: sums, shards: ["{{In("store/sums.train")}}"] }]"""}}, validation: {{validation
                ?? $$"""[{ name: held, shards: ["{{In("store/sums.validation")}}"] }]"""}} }
            {{batch}}
            optimizer: { lr: 3e-3 }
            logging: { tensor_board: false, peak_flops: 1G, every: 1 }

            """ + more
        );
}
