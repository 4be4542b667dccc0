using System.Globalization;
using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Inference;
using Uniscale.Evaluation.Requests;
using Uniscale.Evaluation.Results;
using Uniscale.Evaluation.Tasks;
using Uniscale.Evaluation.Tests.Support;
using Uniscale.Training.Runs;
using Uniscale.Training.Runtime;
using Uniscale.Training.Tests.Runs;

namespace Uniscale.Training.Tests.Validation;

/// <summary>Tasks that are asked inside a run: every second step, at the end of both phases, and never twice.</summary>
public sealed class RunTasksTests : IDisposable
{
    private const int Questions = 150;

    private static readonly string[] Asked = ["2 ranked", "2 sums", "3 ranked", "3 sums", "4 ranked", "4 sums", "6 ranked", "6 sums"];

    private readonly SmallRuns _runs = new();
    private readonly string _tokenizer;

    public RunTasksTests()
    {
        using var tokenizer = SmallTokenizer.Open();
        _tokenizer = tokenizer.Path;
        var random = new Random(4);
        using (var writer = new ShardWriter(_runs.In("text"), tokenizer.Size))
        {
            for (int document = 0; document < 60; document++)
                writer.Add(
                    tokenizer.Encode(string.Join(' ', Enumerable.Range(0, 30).Select(i => i % 7 == 6 ? "Answer: A" : "the light of water")))
                );
            writer.Complete();
        }
        // Longer than a round of requests, so that several are exchanged.
        File.WriteAllLines(
            _runs.In("questions.jsonl"),
            Enumerable
                .Range(0, Questions)
                .Select(i =>
                    JsonSerializer.Serialize(
                        new
                        {
                            question = $"which light is {i}",
                            a = "water light question",
                            b = "question",
                            right = "AB"[i % 2],
                            sum = $"{i}",
                        }
                    )
                )
        );
        File.WriteAllText(
            _runs.In("ranked.yaml"),
            "name: ranked\ndata: questions.jsonl\nprompt: \"{question}?\\nAnswer:\"\noptions: [\"{a}\", \"{b}\"]\ntarget: right\nscoring: option\n"
        );
        File.WriteAllText(
            _runs.In("sums.yaml"),
            "name: sums\ndata: questions.jsonl\nprompt: \"{question}?\"\ntarget: sum\nscoring: number\ntokens: 2\n"
        );
    }

    public void Dispose() => _runs.Dispose();

    [Theory]
    [InlineData("data: 1", 1)]
    [InlineData("data: 2, zero: { stage: 3 }", 2)]
    [InlineData("tensor: 2", 2)]
    [InlineData("pipeline: 2", 2)]
    [InlineData("context: 2", 2)]
    public void TheModelIsAskedAsItsCheckpointWouldBe(string parallel, int ranks)
    {
        Train("with", parallel, ranks);
        Train("without", parallel, ranks, ["evaluation.task_files=[]", "evaluation.tasks_every=0"]);
        // To the bit: training does not see it.
        Assert.Equal(Losses("without"), Losses("with"));
        Assert.Equal(Asked, Told("with"));
        var offline = Offline("with");
        var samples = File.ReadLines(_runs.In("with/evaluation/samples_ranked_step-00000006.jsonl")).ToList();
        Assert.Equal(Questions, samples.Count);
        for (int i = 0; i < samples.Count; i++)
        {
            using var sample = JsonDocument.Parse(samples[i]);
            double[] values = [.. sample.RootElement.GetProperty("resps").EnumerateArray().Select(value => value.GetDouble())];
            foreach (var (inRun, after) in values.Zip(offline.Exams[0].Samples[i].LogLikelihoods))
                if (parallel.StartsWith("tensor", StringComparison.Ordinal))
                    Assert.Equal(after, inRun, 1e-4);
                else
                    Assert.Equal(after, inRun);
        }
        var told = _runs.Records("with", "evaluation")[^2];
        Assert.Equal(
            TaskScores.Of(offline)[0].Metrics["acc_norm"].Value,
            told.GetProperty("scores").GetProperty("acc_norm").GetDouble(),
            parallel.StartsWith("tensor", StringComparison.Ordinal) ? 0.02 : 0
        );
        Assert.Equal(
            ("second", "acc", Questions),
            (told.GetProperty("phase").GetString(), told.GetProperty("metric").GetString(), told.GetProperty("questions").GetInt32())
        );
    }

    /// <summary>Stopped between two times, and in the middle of one: the scores are those of the whole run, each told once.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void AResumedRunAsksWhatIsNotAskedYet(int ranks)
    {
        Train("whole", "data: 0", ranks);
        var stop = new StopRequest();
        Train("broken", "data: 0", ranks, stop: stop, more: new AskToStop(stop, 3));
        Assert.Equal(Asked.Take(2), Told("broken"));
        Train("broken", "data: 0", ranks, options: new TrainingOptions { Resume = true, StopAfter = 4 });
        Train("broken", "data: 0", ranks, options: new TrainingOptions { Resume = true });
        Assert.Equal(Asked, Told("broken"));
        Assert.Equal(Scores("whole"), Scores("broken"));
        Assert.Equal(Losses("whole"), Losses("broken"));
    }

    [Fact]
    public void AScoreBelowItsBoundStopsTheRunAtTheEndOfThePhase()
    {
        var result = Train("run", "data: 1", 1, ["phases[0].stop_below={ranked: 0.99, sums: 0}"]);
        Assert.Equal((StopReason.Judged, 3L), (result.Reason, result.Position.Step));
        Assert.StartsWith("Phase 'first' ended after step 3 with acc 0.", result.Sentence);
        Assert.EndsWith(" in ranked, below its stop_below = 0.99.", result.Sentence);
        Assert.Equal(
            StopReason.Finished,
            Train("run", "data: 1", 1, ["phases[0].stop_below={ranked: 0.99}"], new TrainingOptions { Resume = true }).Reason
        );
        Assert.Equal(Asked, Told("run"));
    }

    [Theory]
    [InlineData("evaluation.tasks=[hamm]", "There is no task 'hamm'")]
    [InlineData("evaluation.tasks=[mmlu]", "name with --data (evaluation.data in a configuration) where the files of mmlu lie")]
    [InlineData("evaluation.tasks=[needle]", "but the model's context is 64: leave the task out")]
    [InlineData("phases[1].stop_below={rankd: 0.5}", "stop_below of phase 'second' names 'rankd', which is no score of evaluation.tasks")]
    [InlineData("evaluation.task_files=[]", "evaluation.tasks_every is 2, but there is nothing to ask")]
    [InlineData("data.tokenizer=null", "asks the model in words, but data.tokenizer is not set")]
    [InlineData("phases[0].context=2", "does not fit the model's context of 2")]
    public void WhatCannotBeAskedIsRefusedBeforeTheFirstStep(string setting, string sentence)
    {
        string said = Assert
            .ThrowsAny<UserErrorException>(() => Train("run", "data: 1", 1, [setting, $"evaluation.data={_runs.In("none")}"]))
            .Message;
        Assert.Contains(sentence, said, StringComparison.Ordinal);
        Assert.False(File.Exists(_runs.In("run/metrics.jsonl")));
    }

    private TrainingResult Train(
        string run,
        string parallel,
        int ranks,
        string[]? settings = null,
        TrainingOptions? options = null,
        StopRequest? stop = null,
        ITrainingCallback? more = null
    ) =>
        SmallRuns.Train(
            new TrainingJob(
                Configure(run, parallel, settings ?? []),
                (options ?? new TrainingOptions()) with
                {
                    LocalRanks = ranks,
                },
                stop ?? new StopRequest()
            )
            {
                MoreCallbacks = (runtime, _) => more is null || runtime.World.Rank > 0 ? [] : [more],
            },
            ranks
        );

    private ResolvedConfiguration Configure(string run, string parallel, params string[] settings) =>
        ConfigurationLoader.Parse(
            $$"""
            run_directory: {{_runs.In(run)}}
            model: { layers: 2, hidden: 32, heads: 2, ffn: 32, context: 64, vocabulary: 500, init_std: 0.1 }
            data: { tokenizer: "{{_tokenizer}}", sources: [{ name: text, shards: ["{{_runs.In("text")}}"] }] }
            batch: { global: 2, micro: 1 }
            train: { threads: 1 }
            optimizer: { lr: 3e-3 }
            parallel: { {{parallel}} }
            phases: [{ name: first, tokens: 384 }, { name: second, tokens: 384 }]
            evaluation: { task_files: ["{{_runs.In("ranked.yaml")}}", "{{_runs.In("sums.yaml")}}"], tasks_every: 2 }
            logging: { tensor_board: false, peak_flops: 1e12 }
            """,
            settings
        );

    /// <summary>The same questions to the checkpoint at the end of the run.</summary>
    private Evaluated Offline(string run)
    {
        using var tokenizer = SmallTokenizer.Open();
        var checkpoint = _runs.Newest(run);
        using var model = TrainedModel.Load(Configure(run, "data: 1").Value.ModelAt(checkpoint.Manifest.ConsumedTokens), 500, checkpoint);
        using var answers = AnswerStore.InMemory();
        return new Evaluator(model.Shape, shape => ReaderThreads.Of(model, 1, shape), tokenizer, "made", answers).Run(
            EvaluationTasks.Read([], [_runs.In("ranked.yaml"), _runs.In("sums.yaml")], null, null, new ExamOptions())
        );
    }

    private List<double> Losses(string run) => [.. _runs.Records(run, "step").Select(record => record.GetProperty("loss").GetDouble())];

    private List<string> Told(string run) =>
        [
            .. _runs
                .Records(run, "evaluation")
                .Select(record =>
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{record.GetProperty("step").GetInt64()} {record.GetProperty("task").GetString()}"
                    )
                ),
        ];

    private List<string> Scores(string run) =>
        [.. _runs.Records(run, "evaluation").Select(record => record.GetProperty("scores").GetRawText())];

    private sealed class AskToStop(StopRequest stop, long step) : ITrainingCallback
    {
        public void StepDone(RankRuntime runtime, StepOutcome outcome)
        {
            if (outcome.Position.Step == step)
                stop.Ask();
        }
    }
}
