using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using static Uniscale.Cli.Tests.CommandRun;

namespace Uniscale.Cli.Tests.Commands;

/// <summary>Training as a user starts it: on a text small enough for a test, with validation, a stop in the middle and a resume.</summary>
public sealed class TrainCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public TrainCommandTests()
    {
        Directory.CreateDirectory(In("raw"));
        for (int i = 0; i < 60; i++)
            File.WriteAllText(
                In($"raw/{i}.txt"),
                string.Join(
                    '\n',
                    Enumerable.Range(0, 40).Select(line => $"The {i * line % 7} models of text {line} learn {(i + line) % 13} words.")
                )
            );
        Ok("data", "import", In("raw"), "--domain", "books", "--out", In("store"));
        Ok("tokenizer", "train", In("store"), "--vocabulary", "300", "--out", In("t.model"), "--threads", "1");
        Ok("data", "tokenize", In("store"), "--tokenizer", In("t.model"), "--out", In("tokens"), "--validation", "0.1", "--workers", "1");
        File.WriteAllText(
            In("run.yaml"),
            $$"""
            name: small
            run_directory: {{In("run")}}
            model: { layers: 2, hidden: 32, heads: 2, context: 32 }
            data:
              tokenizer: {{In("t.model")}}
              sources: [{ name: books, domain: books, shards: ["{{In("tokens/books.train")}}"] }]
              validation: [{ name: held-out, domain: books, shards: ["{{In("tokens/books.validation")}}"] }]
            batch: { global: 4 }
            train: { steps: 6, threads: 1 }
            checkpoint: { every: 3 }
            evaluation: { every: 3, sequences: 4 }
            logging: { peak_flops: 1G, tensor_board: false }
            """
        );
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>A vocabulary of the same size lets every token pass: the run would learn, and be asked, another text.</summary>
    [Theory]
    [InlineData("train")]
    [InlineData("train --resume")]
    public void Shards_of_another_tokenizer_are_refused(string command)
    {
        Ok("tokenizer", "train", In("store"), "--vocabulary", "300", "--symbol", "<other>", "--out", In("other.model"), "--threads", "1");
        if (command != "train")
            Ok("train", In("run.yaml"), "--set", "train.steps=3");
        string[] arguments = [.. command.Split(' '), In("run.yaml"), "--set", $"data.tokenizer={In("other.model")}"];
        var (code, _, error) = CommandRun.Of(arguments);
        Assert.Equal(2, code);
        Assert.Contains("books.train.bin was made by another tokenizer than ", error, StringComparison.Ordinal);
    }

    /// <summary>Sizes fit, and nothing but a loss that begins too high would tell.</summary>
    [Fact]
    public void Weights_of_another_tokenizer_are_no_start()
    {
        Ok("train", In("run.yaml"), "--set", "train.steps=3");
        Ok("tokenizer", "train", In("store"), "--vocabulary", "300", "--symbol", "<other>", "--out", In("other.model"), "--threads", "1");
        Ok("data", "tokenize", In("store"), "--tokenizer", In("other.model"), "--out", In("others"), "--validation", "0.1");
        string[] second = ["train", In("run.yaml"), "--set", $"run_directory={In("second")}", "--set", $"start_from={In("run")}"];
        string[] others =
        [
            "--set",
            $"data.tokenizer={In("other.model")}",
            "--set",
            $"data.sources[0].shards=[{In("others/books.train")}]",
            "--set",
            $"data.validation[0].shards=[{In("others/books.validation")}]",
        ];
        Assert.Matches(
            @"start_from names \S+, which was trained on the tokens of \S+\.model; in data\.tokenizer \S+other\.model, \d+ of 300 of them stand for other text",
            Refused([.. second, .. others])
        );
        Ok(second);
    }

    [Fact]
    public void Shards_named_in_two_places_are_told()
    {
        string shards = $"shards: [\"{In("tokens/books.*")}\"]";
        Ok(
            "train",
            In("run.yaml"),
            "--set",
            "train.steps=1",
            "--set",
            $"data.sources=[{{ name: all, {shards} }}, {{ name: books, domain: books, shards: [\"{In("tokens/books.train")}\"] }}]"
        );
        string log = File.ReadAllText(In("run/logs/train-rank0.log"));
        Assert.Matches(@"The sources all and books both have the shard \S+books\.train: ", log);
        Assert.Matches(@"The source all and the validation set held-out both have the shard \S+books\.validation: ", log);
        Assert.DoesNotContain("The source books and the validation set", log);
    }

    [Fact]
    public void A_resumed_run_repeats_the_unbroken_one_bit_for_bit_and_validates()
    {
        Ok("train", In("run.yaml"), "--ranks", "2");
        double[] unbroken = Losses();
        Assert.Equal(6, unbroken.Length);
        Assert.Equal([3, 6], Records("validation").Select(record => record.GetProperty("step").GetInt64()));
        Assert.All(Records("validation"), record => Assert.InRange(record.GetProperty("bits_per_byte").GetDouble(), 0.5, 8));
        Assert.Contains("hidden: 32", File.ReadAllText(In("run/config.yaml")));

        Directory.Delete(In("run/checkpoints/step-00000006"), recursive: true);
        Ok("train", In("run.yaml"), "--ranks", "2", "--resume");
        Assert.Equal(unbroken, Losses());
        Assert.Equal([3, 6], Records("validation").Select(record => record.GetProperty("step").GetInt64()));
    }

    [Theory]
    [InlineData("exception", "forward", "an injected exception at step 2")]
    [InlineData("exception", "backward", "an injected exception at step 2")]
    [InlineData("out-of-memory", "backward", ".*memory.*")]
    public void A_failure_in_a_kernel_or_a_backward_is_one_sentence_and_exit_code_1(string kind, string moment, string says)
    {
        var (code, _, error) = Of(
            "train",
            In("run.yaml"),
            "--ranks",
            "2",
            "--set",
            "faults.enabled=true",
            "--set",
            $"faults.inject=[{{ kind: {kind}, step: 2, moment: {moment} }}]"
        );
        Assert.Equal(1, code);
        Assert.True(Regex.IsMatch(error, $@"\Auniscale: rank 1 failed first: {says}\. The log is \S+\.\n\z"), error);
    }

    [Fact]
    public void A_run_tells_its_peak_of_memory_beside_what_was_predicted()
    {
        Ok("train", In("run.yaml"), "--set", "train.steps=2");
        Assert.Matches(
            @"peak memory: .* measured, predicted .* \([+-][0-9.]+%\), in the heaviest process \(rank 0\)",
            File.ReadAllText(In("run/logs/train-rank0.log"))
        );
        Assert.True(Records("end").Single().GetProperty("memory").GetProperty("predicted_bytes").GetInt64() > 0);
    }

    /// <summary>13 billion numbers, with 16 bytes of state each, are in no machine that runs tests.</summary>
    [Theory]
    [InlineData("train")]
    [InlineData("launch")]
    public void What_the_memory_cannot_hold_is_refused_before_anything_is_made(string command)
    {
        string refusal = Refused(
            command,
            In("run.yaml"),
            "--set",
            "model.layers=400",
            "--set",
            "model.hidden=8192",
            "--set",
            "model.heads=64"
        );
        Assert.Contains("This run needs at least", refusal);
        Assert.Contains("train.check_memory=false", refusal);
        Assert.False(Directory.Exists(In("run")));
    }

    [Theory]
    [InlineData("1", true)]
    [InlineData("0", true)]
    [InlineData("100", false)]
    public void A_phase_that_disappoints_stops_the_run_saved_and_the_run_goes_on_when_asked(string bound, bool stops)
    {
        File.WriteAllText(
            In("phased.yaml"),
            File.ReadAllText(In("run.yaml")).Replace("steps: 6, ", "", StringComparison.Ordinal)
                + $$"""

                phases:
                  - { name: first, tokens: 256, stop_above: {{bound}} }
                  - { name: second, tokens: 384, stop_above: 0 }
                """
        );
        var (planned, plan, _) = CommandRun.Of("curriculum", "plan", In("phased.yaml"));
        Assert.Equal(0, planned);
        Assert.Contains(bound == "0" ? "all; stops" : $"all; stops above {bound}", plan);
        Ok("train", In("phased.yaml"), "--ranks", "2");
        if (stops)
        {
            Assert.Equal(2, Losses().Length);
            Assert.Contains("Phase 'first' ended after step 2 with a validation loss of", End());
            Assert.Contains($"above its stop_above = {bound}. The run is saved: go on with --resume", End());
            Ok("train", In("phased.yaml"), "--ranks", "2", "--resume");
        }
        Assert.Equal(5, Losses().Length);
        Assert.Contains("Training is done", End());
        var (code, _, error) = CommandRun.Of("train", In("phased.yaml"), "--set", "data.validation=[]");
        Assert.Equal(2, code);
        Assert.Contains("phases[0].stop_above judges phase 'first' by validation, but data.validation is empty", error);
    }

    /// <summary>Scores inside a run: in its metrics and curves, in what is asked of it afterwards, and in the card of an export.</summary>
    [Fact]
    public void A_run_asks_its_model_and_tells_the_scores_everywhere()
    {
        File.WriteAllText(
            In("phased.yaml"),
            File.ReadAllText(In("run.yaml"))
                .Replace("steps: 6, ", "", StringComparison.Ordinal)
                .Replace("evaluation: { every: 3, sequences: 4 }", "evaluation: { task_files: [TASK], limit: 6 }", StringComparison.Ordinal)
                .Replace("TASK", In("task.yaml"), StringComparison.Ordinal)
                .Replace(", tensor_board: false", "", StringComparison.Ordinal)
                + "\nphases:\n  - { name: first, tokens: 256, stop_below: { words: 0 } }\n  - { name: second, tokens: 256 }\n"
        );
        File.WriteAllText(
            In("q.csv"),
            "question,a,b,right\n" + string.Concat(Enumerable.Range(0, 9).Select(i => $"models {i},words,text,A\n"))
        );
        File.WriteAllText(
            In("task.yaml"),
            "name: words\ndata: q.csv\nprompt: \"{question}\"\noptions: [\"{a}\", \"{b}\"]\ntarget: right\nscoring: option\n"
        );
        Assert.Contains("all; stops below 0 in words", Ok("curriculum", "plan", In("phased.yaml")));
        Ok("train", In("phased.yaml"), "--ranks", "2");
        var told = Records("evaluation").ToList();
        Assert.Equal([2, 4], told.Select(record => record.GetProperty("step").GetInt64()));
        Assert.Equal(["first", "second"], told.Select(record => record.GetProperty("phase").GetString()));
        string score = told[1].GetProperty("scores").GetProperty("acc").GetDouble().ToString("0.0000", CultureInfo.InvariantCulture);
        Assert.Contains($"words       acc {score} ± ", Ok("status", In("run")));
        Assert.Contains($" at step 4", Ok("status", In("run")));
        Assert.Matches($@"second +words +4 +512 +acc {score} ± .*original, option, 0 shots", Ok("curriculum", "audit", In("run")));
        Assert.Contains("evaluation/words/acc", Encoding.Latin1.GetString(File.ReadAllBytes(Directory.GetFiles(In("run/tensorboard"))[0])));
        // The files are those of evaluate.
        Ok("evaluate", "compare", In("run/evaluation/results_step-00000002.json"), In("run/evaluation/results_step-00000004.json"));

        Ok("export", In("run"), "--to", In("model"));
        string card = File.ReadAllText(In("model/README.md"));
        Assert.Contains("after step 4, 512 tokens, the end of phase second", card);
        Assert.Contains("| phase | tokens | books |", card);
        Assert.Contains("| books | books | 512 | ", card);
        Assert.Contains($"| words | acc {score} ± ", card);
        Ok("export", In("run"), "--step", "2", "--to", In("first"));
        Assert.Contains("after step 2, 256 tokens, the end of phase first", File.ReadAllText(In("first/README.md")));
    }

    /// <summary>A pipe stands for data that come slowly: nobody writes to it.</summary>
    [Fact]
    public void A_stop_while_data_are_read_ends_the_run_at_once_and_leaves_nothing()
    {
        File.Delete(In("tokens/books.train.idx"));
        Process.Start("mkfifo", [In("tokens/books.train.idx")]).WaitForExit();
        using var train = SmallCorpus.Start("train", In("run.yaml"), "--ranks", "2");
        SmallCorpus.Wait(() => File.Exists(In("run/launch/rank-00000.beat")));
        Process.Start("sh", ["-c", $"kill -TERM {train.Id}"]).WaitForExit();
        Assert.Equal("uniscale: stopped before training began; there was nothing to save.\n", SmallCorpus.End(train));
        Assert.False(Directory.Exists(In("run")));
    }

    [Fact]
    public void A_profile_is_a_trace_with_kernels_and_a_table()
    {
        Ok("train", In("run.yaml"), "--profile", In("profile.json"));
        var names = JsonDocument
            .Parse(File.ReadAllText(In("profile.json")))
            .RootElement.GetProperty("traceEvents")
            .EnumerateArray()
            .Where(entry => entry.GetProperty("ph").GetString() == "X")
            .Select(entry => entry.GetProperty("name").GetString())
            .ToHashSet();
        Assert.Superset(new HashSet<string?> { "step 3", "forward b1 m0", "AttentionBackward", "AdamW" }, names);
        string log = File.ReadAllText(Directory.GetFiles(In("run/logs"), "train-rank0*").Single());
        Assert.Contains("outside kernels", log);
        Assert.Contains("AccumulateWeightGradient", log);
    }

    [Theory]
    [InlineData(
        "batch.global is 4, which is no multiple of the 3 replicas: set batch.global to 6 or 3, or change the layout.",
        "--ranks",
        "3"
    )]
    [InlineData("--set model.layres=3: model has no key 'layres'; did you mean 'layers'?", "--set", "model.layres=3")]
    [InlineData("gone.bin does not exist", "--set", "data.sources[0].shards=[gone]")]
    [InlineData("nowhere.model does not exist", "--set", "data.tokenizer=nowhere.model")]
    [InlineData("model.vocabulary is 200, but the tokenizer", "--set", "model.vocabulary=200")]
    public void A_mistake_is_one_sentence_exit_code_2_and_no_run(string expected, params string[] arguments)
    {
        Assert.Contains(expected, Refused(["train", In("run.yaml"), .. arguments]));
        Assert.False(Directory.Exists(In("run")));
    }

    [Fact]
    public void Another_model_cannot_continue_a_run_and_the_key_is_named()
    {
        Ok("train", In("run.yaml"), "--set", "train.steps=2");
        Assert.Contains("model.layers: 2 -> 3 (--set)", Refused("train", In("run.yaml"), "--resume", "--set", "model.layers=3"));
        Assert.Contains("layers: 2", File.ReadAllText(In("run/config.yaml")));
    }

    [Fact]
    public void A_run_directory_that_cannot_be_made_is_refused()
    {
        string error = Refused("train", In("run.yaml"), "--set", $"run_directory={In("run.yaml")}/run");
        Assert.Contains("cannot be written", error);
        Assert.Contains("set run_directory", error);
    }

    [Fact]
    public void A_corrupt_index_is_named()
    {
        string index = In("tokens/books.train.idx");
        File.WriteAllBytes(index, [.. "WRONGMAGIC"u8, .. File.ReadAllBytes(index)[10..]]);
        Assert.Contains("books.train.idx", Refused("train", In("run.yaml")));
    }

    private string In(string path) => _folder.In(path);

    private string End() => Records("end").Last().GetProperty("message").GetString()!;

    private double[] Losses() => [.. Records("step").Select(record => record.GetProperty("loss").GetDouble())];

    private JsonElement[] Records(string kind) =>
        [
            .. File.ReadLines(In("run/metrics.jsonl"))
                .Select(line => JsonDocument.Parse(line).RootElement)
                .Where(record => record.GetProperty("kind").GetString() == kind),
        ];
}
