using Uniscale.Configuration;
using Uniscale.Evaluation.Inference;
using Uniscale.Evaluation.Requests;
using Uniscale.Evaluation.Tests.Support;

namespace Uniscale.Evaluation.Tests.Requests;

public sealed class LogLikelihoodTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-answers-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Contexts of many lengths, some with beginnings in common; continuations of one token and of several.</summary>
    private static readonly LogLikelihoodRequest[] Requests =
    [
        .. Enumerable
            .Range(0, 200)
            .Select(i =>
            {
                int[] common = SmallModel.Tokens(300, i % 3),
                    own = SmallModel.Tokens(3 + i / 4 % 40, 1000 + i / 4);
                return new LogLikelihoodRequest([.. common[..(i / 4 % 5 * 70)], .. own], SmallModel.Tokens(i % 4 == 3 ? 6 : 1, 2000 + i));
            }),
    ];

    /// <summary>
    /// Each request alone, token by token, without a cache of others, in another arithmetic: the whole softmax written out in fp64.
    /// </summary>
    [Fact]
    public void TwoHundredRequestsAreThoseOfOnePassEach() =>
        SmallModel.On(model =>
        {
            var answers = Answer(model, 16);
            foreach (var request in Requests)
            {
                int[] all = [.. request.Context, .. request.Continuation];
                using var sequence = model.NewSequence();
                double sum = 0;
                model.Read(
                    [new(sequence, all.AsMemory(0, all.Length - 1), request.Continuation.Length)],
                    (_, index, logits) =>
                    {
                        float[] row = logits.ToArray();
                        double top = row.Max();
                        sum += row[request.Continuation[index]] - top - Math.Log(row.Sum(logit => Math.Exp(logit - top)));
                    }
                );
                Assert.Equal(sum, answers[request], 1e-9);
            }
            return 0;
        });

    [Fact]
    public void TheBatchChangesNoBit() =>
        SmallModel.On(model =>
        {
            var one = Answer(model, 1);
            foreach (int batch in new[] { 3, 16, 64 })
                foreach (var (request, value) in Answer(model, batch))
                    Assert.Equal(one[request], value);
            return 0;
        });

    /// <summary>Two tasks of eight questions each, whose shots are the same: the shots go through the model once a task.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(16)]
    public void WhatContextsHaveInCommonIsReadOnce(int batch) =>
        SmallModel.On(model =>
        {
            const int Shots = 100,
                Own = 7,
                Questions = 8;
            var requests = Enumerable
                .Range(0, 2)
                .SelectMany(task =>
                    Enumerable
                        .Range(0, Questions)
                        .Select(i => new LogLikelihoodRequest(
                            [task, .. SmallModel.Tokens(Shots - 1, task), i, .. SmallModel.Tokens(Own - 1, 100 + i)],
                            [1]
                        ))
                )
                .ToList();
            long before = model.TokensRead;
            Answer(model, requests, batch);
            Assert.Equal(2 * (Shots + Questions * Own), model.TokensRead - before);
            return 0;
        });

    [Fact]
    public void OnePassOverATextIsTheTextTokenByToken() =>
        SmallModel.On(model =>
        {
            int[] text = SmallModel.Tokens(590, 77);
            double whole = Answer(model, [new LogLikelihoodRequest([1], text)], 4).Single().Value,
                sum = 0;
            using var sequence = model.NewSequence();
            int before = 1;
            foreach (int token in text)
            {
                model.Read([new(sequence, new[] { before })], (_, _, logits) => sum += LogProbabilities.Of(logits, token));
                before = token;
            }
            Assert.Equal(sum, whole);
            return 0;
        });

    /// <summary>A line that a kill cut short is asked again; all others are found.</summary>
    [Fact]
    public void AnswersAreFoundAgainToTheLastDigit()
    {
        string path = Path.Combine(_folder, "answers.tsv");
        using (var store = new AnswerStore(path))
        {
            store.Add("a", -1.0 / 3);
            store.Add("b", -123.45678901234567);
            Assert.True(new FileInfo(path).Length > 40);
            Assert.Contains("is in use", Assert.Throws<UserErrorException>(() => new AnswerStore(path)).Message, StringComparison.Ordinal);
        }
        File.AppendAllText(path, "c\t-0.5");
        using (var store = new AnswerStore(path))
        {
            Assert.True(store.TryGet("a", out double a) && store.TryGet("b", out _));
            Assert.Equal(-1.0 / 3, a);
            Assert.False(store.TryGet("c", out _));
            store.Add("c", 2);
        }
        using (var store = new AnswerStore(path))
            Assert.True(store.TryGet("c", out double c) && c == 2);
    }

    [Fact]
    public void KeysTellModelsTasksAndWhereTheContextEnds()
    {
        string[] keys =
        [
            new LogLikelihoodRequest([1, 2], [3]).Key("m", "t"),
            new LogLikelihoodRequest([1], [2, 3]).Key("m", "t"),
            new LogLikelihoodRequest([1, 2], [3]).Key("n", "t"),
            new LogLikelihoodRequest([1, 2], [3]).Key("m", "u"),
            new LogLikelihoodRequest([1, 2], [4]).Key("m", "t"),
        ];
        Assert.Equal(5, keys.Distinct().Count());
        Assert.Equal(keys[0], new LogLikelihoodRequest([1, 2], [3]).Key("m", "t"));
    }

    private static Dictionary<LogLikelihoodRequest, double> Answer(InferenceModel model, int batch) => Answer(model, Requests, batch);

    private static Dictionary<LogLikelihoodRequest, double> Answer(
        InferenceModel model,
        IEnumerable<LogLikelihoodRequest> requests,
        int batch
    )
    {
        var answers = new Dictionary<LogLikelihoodRequest, double>();
        new LogLikelihoodReader(model, batch).Answer(LogLikelihoodReader.Grouped(requests), answers.Add);
        return answers;
    }
}
