using System.Text.Json;
using Uniscale.Data;
using static Uniscale.Cli.Tests.CommandRun;

namespace Uniscale.Cli.Tests.Commands;

/// <summary>The way from a model that has read to one that answers and prefers, with runs that are stopped and go on.</summary>
public sealed class ObjectiveRunTests : IDisposable
{
    private const int Vocabulary = 64,
        Context = 32;

    private readonly TemporaryFolder _folder = new();

    public ObjectiveRunTests()
    {
        using (var text = new ShardWriter(_folder.In("text"), Vocabulary))
        {
            for (int document = 0; document < 60; document++)
                text.Add([.. Enumerable.Range(0, 40).Select(i => (document + (i * (1 + document % 3))) % Vocabulary)]);
            text.Complete();
        }
        Packs("chat", PackKind.Samples);
        Packs("pairs", PackKind.Comparisons);
        Configure("base", "data: { sources: [{ name: text, shards: [\"{0}/text\"] }] }");
        Configure(
            "sft",
            "objective: sft\nstart_from: {0}/runs/base\ndata: { sources: [{ name: chat, shards: [\"{0}/chat\"], weight: 0.8 }, { name: text, shards: [\"{0}/text\"], weight: 0.2 }], validation: [{ name: held, shards: [\"{0}/chat\"] }] }"
        );
        Configure(
            "reward",
            "objective: reward\nreward: { preset: internlm2 }\noptimizer: { lr: 1e-2 }\nstart_from: {0}/runs/sft\ndata: { sources: [{ name: pairs, domain: sums, shards: [\"{0}/pairs\"] }], validation: [{ name: pairs, domain: sums, shards: [\"{0}/pairs\"] }] }"
        );
        Configure("dpo", "objective: dpo\nstart_from: {0}/runs/sft\ndata: { sources: [{ name: pairs, shards: [\"{0}/pairs\"] }] }");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void From_text_to_answers_to_preferences_with_stops_in_between()
    {
        Ok("train", In("base.yaml"));
        Ok("train", In("sft.yaml"));
        Assert.Contains(Records("sft"), record => record.GetProperty("kind").GetString() == "validation");
        // Under the model of the base the first loss is not that of drawn weights, about ln 64.
        Assert.NotEqual(Losses("base")[0], Losses("sft")[0], 1e-3);

        Ok("train", In("reward.yaml"));
        Assert.True(
            Records("reward")
                .First(record => record.GetProperty("kind").GetString() == "step")
                .GetProperty("measures")
                .TryGetProperty("accuracy", out _)
        );
        var validation = Records("reward").Last(record => record.GetProperty("kind").GetString() == "validation");
        Assert.Equal(1, validation.GetProperty("measures").GetProperty("accuracy").GetDouble(), 0.1);
        Assert.True(
            validation.GetProperty("measures").GetProperty("reward/chosen").GetDouble()
                > validation.GetProperty("measures").GetProperty("reward/rejected").GetDouble()
        );

        Ok("train", In("dpo.yaml"));
        Assert.Equal(Math.Log(2), Losses("dpo")[0], 1e-6);
        foreach (string objective in (string[])["sft", "reward", "dpo"])
        {
            Assert.Equal(Losses(objective), StoppedAndResumed(objective, ranks: 1));
            Assert.All(Losses(objective).Zip(StoppedAndResumed(objective, ranks: 2)), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
        }

        Assert.Contains("is a reward model", Refused("export", In("runs/reward"), "--to", In("exported"), "--no-tokenizer"));
        Directory.Move(In("runs/sft"), In("runs/moved"));
        Assert.Contains(
            "which is not there any more",
            Refused("train", In("dpo.yaml"), "--resume", "--set", "train.steps=8", "--set", $"run_directory={In("runs/dpo")}")
        );
    }

    private List<double> StoppedAndResumed(string objective, int ranks)
    {
        string run = $"{objective}-{ranks}";
        string[] elsewhere = ["--set", $"run_directory={In($"runs/{run}")}", "--ranks", $"{ranks}"];
        Ok(["train", In($"{objective}.yaml"), "--stop-after", "3", .. elsewhere]);
        Ok(["train", In($"{objective}.yaml"), "--resume", .. elsewhere]);
        return Losses(run);
    }

    [Theory]
    [InlineData("sft", "data.sources=[{name: text, shards: [{0}/text]}]", "no data source has answers that are learned")]
    [InlineData("reward", "data.sources=[{name: chat, shards: [{0}/chat]}]", "'chat' has no comparisons of answers")]
    [InlineData("sft", "data.sources=[{name: pairs, shards: [{0}/pairs]}]", "'pairs' has comparisons of answers")]
    [InlineData("dpo", "start_from=null", "set start_from to a run, a checkpoint or an imported model")]
    [InlineData("dpo", "start_from={0}/nowhere", "There is no folder")]
    [InlineData("sft", "model.document_mask=false", "set model.document_mask to true")]
    [InlineData("reward", "model.head=vocabulary", "set model.head to score")]
    [InlineData("base", "model.head=score", "set objective to reward")]
    [InlineData("reward", "reward.preset=internlm3", "did you mean 'internlm2'?")]
    [InlineData("sft", "model.context=16", "packs of data source 'chat' have 32 tokens")]
    public void What_does_not_fit_is_one_sentence(string run, string setting, string expected)
    {
        Directory.CreateDirectory(In("runs"));
        Assert.Contains(
            expected,
            Refused("train", In($"{run}.yaml"), "--set", setting.Replace("{0}", _folder.In(""), StringComparison.Ordinal))
        );
    }

    private string In(string path) => _folder.In(path);

    private void Configure(string name, string more) =>
        File.WriteAllText(
            In($"{name}.yaml"),
            $$"""
            name: {{name}}
            run_directory: {{In($"runs/{name}")}}
            model: { layers: 1, hidden: 16, heads: 2, ffn: 32, context: {{Context}}, vocabulary: {{Vocabulary}} }
            batch: { global: 4, micro: 1 }
            train: { steps: 6, threads: 1 }
            checkpoint: { every: 3 }
            logging: { tensor_board: false, peak_flops: 1G, every: 1 }

            """ + more.Replace("{0}", In(""), StringComparison.Ordinal)
        );

    /// <summary>
    /// The better answer of a pair is of even tokens, the worse one of odd ones; a reward token of 63 stands behind each.
    /// </summary>
    private void Packs(string name, PackKind kind)
    {
        using var writer = new ShardWriter(In(name), Vocabulary, kind, Context);
        for (int pack = 0; pack < 24; pack++)
        {
            for (int answer = 0; answer < 4; answer++)
            {
                int length = 4 + ((pack + answer) % 4);
                int[] tokens = [1, .. Enumerable.Range(0, length - 2).Select(i => (((pack + i) * 2) % 60) + (answer % 2)), 63];
                var marks = tokens.Select((_, i) => i > 1 && i < length - 1 ? TokenMarks.Learned : TokenMarks.None).ToArray();
                if (kind == PackKind.Comparisons)
                    marks[^1] = answer % 2 == 1 ? TokenMarks.Score | TokenMarks.Last : TokenMarks.Score;
                writer.Append(tokens, marks);
                writer.EndDocument();
            }
            int rest = Context - (int)(writer.TokenCount % Context);
            writer.Append(new int[rest], new TokenMarks[rest]);
            writer.EndDocument();
        }
        writer.Complete();
    }

    private List<double> Losses(string run) =>
        [
            .. Records(run)
                .Where(record => record.GetProperty("kind").GetString() == "step")
                .Select(record => record.GetProperty("loss").GetDouble()),
        ];

    private List<JsonElement> Records(string run) =>
        [.. File.ReadLines(In($"runs/{run}/metrics.jsonl")).Select(line => JsonDocument.Parse(line).RootElement.Clone())];
}
