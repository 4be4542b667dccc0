using Uniscale.Configuration;
using Uniscale.Evaluation.Generation;
using Uniscale.Evaluation.Inference;
using Uniscale.Evaluation.Tests.Support;

namespace Uniscale.Evaluation.Tests.Generation;

public class BatchGeneratorTests
{
    /// <summary>Prompts of many lengths, some with a long beginning in common, each with its own rules.</summary>
    private static readonly GenerationRequest[] Requests =
    [
        .. Enumerable
            .Range(0, 12)
            .Select(i =>
            {
                int[] common = SmallModel.Tokens(280, 1),
                    own = SmallModel.Tokens(5 + 7 * i, 100 + i);
                return new GenerationRequest(i % 3 == 0 ? own : [.. common[..(i % 3 == 1 ? 280 : 60)], .. own])
                {
                    Sampling = (i % 4) switch
                    {
                        0 => SamplingOptions.Plain(i),
                        1 => new SamplingOptions(0.9, 0.9, i) { TopK = 20, RepetitionPenalty = 1.2 },
                        2 => SamplingOptions.Greedy,
                        _ => new SamplingOptions(1.3, 1, i) { MinP = 0.05 },
                    },
                    MaxTokens = 6 + i,
                };
            }),
    ];

    private static readonly Lazy<IReadOnlyList<Continuation>> Alone = new(() =>
        SmallModel.On(model => Requests.Select(request => new BatchGenerator(model, 1).Run([request])[0]).ToList())
    );

    [Theory]
    [InlineData("tensor: 1", 1, 5)]
    [InlineData("tensor: 1", 1, 12)]
    [InlineData("pipeline: 2", 2, 4)]
    [InlineData("pipeline: 2, chunks: 2, schedule: interleaved-1f1b", 2, 4)]
    [InlineData("data: 2, zero: { stage: 3 }", 2, 3)]
    [InlineData("context: 2", 2, 32)]
    public void ARequestGivesTheSameBitsWhateverTheBatchAndTheOrder(string parallel, int ranks, int batch)
    {
        foreach (
            var results in SmallModel.On(
                parallel,
                ranks,
                (model, world) =>
                {
                    // Replicas read what they like: here each in another order.
                    int[] order =
                    [
                        .. Enumerable
                            .Range(0, Requests.Length)
                            .OrderBy(i =>
                                parallel.StartsWith("pipeline", StringComparison.Ordinal) ? i * 5 % 12 : (i + 1) * (world.Rank + 5) % 13
                            ),
                    ];
                    var generated = new BatchGenerator(model, batch).Run([.. order.Select(i => Requests[i])]);
                    return order.Zip(generated).OrderBy(pair => pair.First).Select(pair => pair.Second).ToList();
                }
            )
        )
            for (int i = 0; i < Requests.Length; i++)
            {
                Assert.Equal(Alone.Value[i].Tokens, results[i].Tokens);
                Assert.Equal(Alone.Value[i].LogProbabilities, results[i].LogProbabilities);
            }
    }

    /// <summary>Their sums run in another order.</summary>
    [Fact]
    public void TensorRanksGiveTheSameTokensAndNearlyTheSameProbabilities()
    {
        foreach (var results in SmallModel.On("tensor: 2", 2, (model, _) => new BatchGenerator(model, 4).Run(Requests)))
            for (int i = 0; i < Requests.Length; i++)
            {
                Assert.Equal(Alone.Value[i].Tokens, results[i].Tokens);
                for (int j = 0; j < results[i].Tokens.Count; j++)
                    Assert.Equal(Alone.Value[i].LogProbabilities[j], results[i].LogProbabilities[j], 1e-4);
            }
    }

    /// <summary>One pass over the whole text by the full softmax, written out.</summary>
    [Fact]
    public void LogProbabilitiesAreThoseOfTheSoftmaxAtTheTemperature() =>
        SmallModel.On(model =>
        {
            var request = Requests[3] with
            {
                Sampling = new SamplingOptions(0.7, 0.8, 5) { TopK = 10 },
                MaxTokens = 9,
            };
            var generated = new BatchGenerator(model).Run([request])[0];
            int[] all = [.. request.Prompt, .. generated.Tokens];
            using var sequence = model.NewSequence();
            var rows = new List<float[]>();
            model.Read([new(sequence, all.AsMemory(0, all.Length - 1), 9)], (_, _, logits) => rows.Add(logits.ToArray()));
            for (int i = 0; i < 9; i++)
            {
                double total = rows[i].Sum(logit => Math.Exp(logit / 0.7));
                Assert.Equal(rows[i][generated.Tokens[i]] / 0.7 - Math.Log(total), generated.LogProbabilities[i], 9);
            }
            return 0;
        });

    [Fact]
    public void StopSequencesOfTokensEndATextAndBelongToItsTokens() =>
        SmallModel.On(model =>
        {
            var request = new GenerationRequest(SmallModel.Tokens(10, 3)) { Sampling = SamplingOptions.Plain(8), MaxTokens = 20 };
            var whole = new BatchGenerator(model).Run([request])[0];
            Assert.Equal((20, FinishReason.Length), (whole.Tokens.Count, whole.Reason));
            var stopped = new BatchGenerator(model).Run([
                request with
                {
                    StopTokens =
                    [
                        [.. whole.Tokens.Skip(4).Take(2)],
                        [96, 96, 96],
                    ],
                },
            ])[0];
            Assert.Equal((FinishReason.Stop, 6), (stopped.Reason, stopped.Tokens.Count));
            Assert.Equal(whole.Tokens.Take(6), stopped.Tokens);
            return 0;
        });

    [Fact]
    public void ATextEndsWithTheContextUnlessItsWindowSlides() =>
        SmallModel.On(model =>
        {
            var request = new GenerationRequest(SmallModel.Tokens(597, 4)) { Sampling = SamplingOptions.Greedy, MaxTokens = 8 };
            var ended = new BatchGenerator(model).Run([request])[0];
            Assert.Equal((FinishReason.Context, 3), (ended.Reason, ended.Tokens.Count));
            var slid = new BatchGenerator(model).Run([request with { Slides = true }])[0];
            Assert.Equal((FinishReason.Length, 8), (slid.Reason, slid.Tokens.Count));
            // The last token comes from a window that was read anew.
            int[] window = [.. request.Prompt.Concat(slid.Tokens).SkipLast(1).TakeLast(600)];
            using var sequence = model.NewSequence();
            model.Read([new(sequence, window)], (_, _, logits) => Assert.Equal(slid.Tokens[^1], LogProbabilities.Likeliest(logits)));
            return 0;
        });

    [Fact]
    public void StopTextsMayLieAcrossTokensAndAreNoneOfTheText()
    {
        using var tokenizer = SmallTokenizer.Open();
        SmallModel.On(
            "tensor: 1",
            1,
            (model, _) =>
            {
                var generator = new BatchGenerator(model, 2, tokenizer);
                var request = new GenerationRequest(tokenizer.Encode("the water")) { Sampling = SamplingOptions.Plain(11), MaxTokens = 40 };
                var whole = generator.Run([request])[0];
                Assert.Equal(whole.Text, string.Concat(generator.Stream([request]).Select(drawn => drawn.Text)));
                string stop = whole.Text.Substring(whole.Text.Length / 2, 5);
                Assert.Equal(5, stop.Length);
                var events = generator.Stream([request with { StopTexts = ["never there", stop] }]).ToList();
                var result = events[^1].Result!;
                Assert.Equal(FinishReason.Stop, result.Reason);
                Assert.Equal(whole.Text[..whole.Text.IndexOf(stop, StringComparison.Ordinal)], result.Text);
                Assert.Equal(result.Text, string.Concat(events.Select(drawn => drawn.Text)));
                Assert.Equal(whole.Tokens.Take(result.Tokens.Count), result.Tokens);
                return 0;
            },
            SmallModel.Shape with
            {
                Vocabulary = 500,
            }
        );
    }

    [Theory]
    [InlineData("empty", "Prompt 2 is empty")]
    [InlineData("long", "Prompt 2 has 600 tokens, and the model sees 600")]
    [InlineData("foreign", "Prompt 2 holds token 97, which the model's vocabulary of 97 lacks")]
    [InlineData("tokens", "--tokens is 0")]
    [InlineData("penalty", "--repetition-penalty is 0")]
    [InlineData("batch", "--batch is 0")]
    public void WhatCannotBeGeneratedIsSaidBefore(string what, string sentence) =>
        SmallModel.On(model =>
        {
            var good = new GenerationRequest([1, 2, 3]);
            var bad = what switch
            {
                "empty" => new GenerationRequest([]),
                "long" => new GenerationRequest(SmallModel.Tokens(600, 1)),
                "foreign" => new GenerationRequest([1, 97]),
                "tokens" => good with { MaxTokens = 0 },
                "penalty" => good with { Sampling = good.Sampling with { RepetitionPenalty = 0 } },
                _ => good,
            };
            var failure = Assert.Throws<UserErrorException>(() => new BatchGenerator(model, what == "batch" ? 0 : 2).Run([good, bad]));
            Assert.StartsWith(sentence, failure.Message, StringComparison.Ordinal);
            return 0;
        });
}
