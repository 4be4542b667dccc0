using FsCheck;
using FsCheck.Fluent;
using Uniscale.Alignment.Prompts;
using Uniscale.Alignment.Rollouts;
using Uniscale.Data;
using Uniscale.Engine.Model;

namespace Uniscale.Alignment.Tests.Rollouts;

public sealed class RolloutBatchTests
{
    private const int Context = 16;

    /// <summary>What was put at places comes back to its answer, and the target of each place of an answer is its token.</summary>
    [Fact]
    public void APlaceSpeaksForTheTokenBehindIt()
    {
        DrawnAnswer[] answers =
        [
            Answer([1, 2, 3], [10, 11]),
            Answer([4], [12, 13, 14, 15]),
            Answer([5, 6], [16]),
            Answer([7, 8, 9], [17, 18, 19, 20, 21, 22, 23, 24, 25, 26]),
        ];
        foreach (var answer in answers)
            (answer.Old, answer.Advantages) = (
                [.. answer.Tokens.Select(token => -token / 10.0)],
                [.. answer.Tokens.Select(token => (double)token)]
            );
        var batch = new RolloutBatch(0, answers, minibatches: 2, Context);
        var seen = new List<int>();
        for (int minibatch = 0; minibatch < 2; minibatch++)
        {
            double[] found = new double[batch.PacksOf(minibatch) * Context];
            for (int pack = 0; pack < batch.PacksOf(minibatch); pack++)
            {
                int[] tokens = new int[Context + 1],
                    documents = new int[Context + 1];
                var marks = new TokenMarks[Context + 1];
                double[] columns = new double[7 * Context];
                batch.Read(minibatch, pack, tokens, documents, marks);
                batch.ReadColumns(minibatch, pack, columns, isMeanOfAnswers: true);
                for (int place = 0; place < Context; place++)
                {
                    double Column(RolloutColumn column) => columns[((int)column * Context) + place];
                    Assert.Equal(Column(RolloutColumn.Weight) > 0, marks[place + 1].HasFlag(TokenMarks.Learned));
                    if (Column(RolloutColumn.Weight) == 0)
                        continue;
                    Assert.Equal(tokens[place + 1], Column(RolloutColumn.Advantage));
                    Assert.Equal(-tokens[place + 1] / 10.0, Column(RolloutColumn.Old));
                    Assert.Equal(documents[place], documents[place + 1]);
                    found[(pack * Context) + place] = tokens[place + 1];
                    seen.Add(tokens[place + 1]);
                }
            }
            batch.Deal(minibatch, found, (answer, numbers) => Assert.Equal(answer.Tokens.Select(token => (double)token), numbers));
        }
        Assert.Equal(answers.SelectMany(answer => answer.Tokens).Order(), seen.Order());
    }

    [Fact]
    public void TheTokensOfAnAnswerWeighOneTogether()
    {
        var batch = new RolloutBatch(0, [Answer([1], [2, 3, 4, 5]), Answer([1], [2])], minibatches: 1, Context);
        double[] columns = new double[7 * Context];
        Assert.Equal(2, batch.ReadColumns(0, 0, columns, isMeanOfAnswers: true));
        Assert.Equal(2, columns[..Context].Sum(), 1e-12);
        batch.ReadColumns(0, 0, columns, isMeanOfAnswers: false);
        Assert.Equal(5, columns[..Context].Sum());
        Assert.Equal(0, batch.ReadColumns(0, 1, columns, isMeanOfAnswers: true));
        Assert.All(columns, number => Assert.Equal(0, number));
    }

    /// <summary>What a configuration must have room for is enough, whatever lengths are drawn.</summary>
    [Fact]
    public void NoLengthsNeedMorePacksThanIsSaid() =>
        Prop.ForAll(
                Gen.Choose(1, 12)
                    .SelectMany(longest => Gen.NonEmptyListOf(Gen.Choose(1, longest)).Select(lengths => (longest, lengths)))
                    .ToArbitrary(),
                drawn =>
                {
                    var answers = drawn.lengths.Select(length => Answer([1], [.. Enumerable.Range(0, length)])).ToList();
                    Assert.InRange(
                        new RolloutBatch(0, answers, 1, Context).PacksOf(0),
                        1,
                        RolloutBatch.MostPacks(answers.Count, drawn.longest + 1, Context)
                    );
                }
            )
            .QuickCheckThrowOnFailure();

    private static DrawnAnswer Answer(int[] prompt, int[] tokens) =>
        new(new ChatPrompt("", prompt, []), tokens, new double[tokens.Length], IsEnded: true, CutMass: 0)
        {
            Old = new double[tokens.Length],
            Reference = new double[tokens.Length],
            Advantages = new double[tokens.Length],
        };
}
