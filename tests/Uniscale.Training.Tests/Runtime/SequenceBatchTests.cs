using Uniscale.Data;
using Uniscale.Engine.Devices;
using Uniscale.Engine.Parallel.Sequences;
using Uniscale.Programs;
using Uniscale.Training.Feeding;
using static TorchSharp.torch;

namespace Uniscale.Training.Tests.Runtime;

public sealed class SequenceBatchTests
{
    private static readonly StepPlan Plan = new(0, FirstSample: 100, Sequences: 8, Context: 8, 0, 0, 1000);

    [Fact]
    public void EverySampleOfTheStepIsReadByExactlyOneReplica()
    {
        var samples = new List<long>();
        for (int replica = 0; replica < 2; replica++)
        {
            using var batch = Batch(new MeshShape(1, 2, 1, 1), replica, rank: 0, masked: false);
            for (int m = 0; m < batch.Count; m++)
                for (int row = 0; row < 2; row++)
                    samples.Add(batch[m].Tokens[row, 0].item<long>() / 10);
        }
        Assert.Equal(Enumerable.Range(100, 8).Select(i => (long)i), samples.Order());
    }

    [Fact]
    public void TargetsBeyondADocumentAndTokensBelowZeroTakeNoPart()
    {
        using var masked = Batch(new MeshShape(1, 1, 1, 1), 0, 0, masked: true);
        using var plain = Batch(new MeshShape(1, 1, 1, 1), 0, 0, masked: false);
        Assert.Equal(8 * 8, plain.ValidTokens);
        // Documents of three tokens: targets 2|3 and 5|6 cross.
        Assert.Equal(8 * (8 - 2), masked.ValidTokens);
        Assert.Equal([0, 1, 2, 0, 1, 2, 0, 1], Row(masked[0].Positions!));
        Assert.Equal(SequenceBatch.Ignored, Row(masked[0].Targets!)[2]);
    }

    [Fact]
    public void RanksOfTheContextAxisHoldTheWholeSequenceTogether()
    {
        long[] whole = new long[8];
        long valid = 0;
        for (int rank = 0; rank < 2; rank++)
        {
            using var batch = Batch(new MeshShape(1, 1, 2, 1), 0, rank, masked: false);
            long[] tokens = Row(batch[0].Tokens),
                positions = Row(batch[0].Positions!);
            for (int i = 0; i < tokens.Length; i++)
                whole[positions[i]] = tokens[i];
            valid += batch.ValidTokens;
        }
        Assert.Equal(Enumerable.Range(0, 8).Select(i => 1000L + i), whole);
        Assert.Equal(8 * 8, valid);
    }

    /// <summary>
    /// What the loss mask leaves out has no target, on whichever rank of the context axis it lies; a mask of ones changes nothing.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void TheLossMaskTakesTargetsAway(int context)
    {
        var learned = new List<long>();
        long valid = 0;
        for (int rank = 0; rank < context; rank++)
        {
            using var batch = Batch(
                new MeshShape(1, 1, context, 1),
                0,
                rank,
                masked: false,
                new Counting { Learned = place => place % 4 == 3 }
            );
            learned.AddRange(Row(batch[0].Targets!).Where(target => target != SequenceBatch.Ignored));
            valid += batch.ValidTokens;
        }
        // Sample 100: targets of places 3 and 7 are its tokens 4 and 8.
        Assert.Equal([1004, 1008], learned.Order());
        Assert.Equal(8 * 2, valid);
        using var whole = Batch(new MeshShape(1, 1, 1, 1), 0, 0, masked: true, new Counting { Learned = _ => true });
        using var without = Batch(new MeshShape(1, 1, 1, 1), 0, 0, masked: true);
        Assert.Equal(Row(without[1].Targets!), Row(whole[1].Targets!));
        Assert.Equal(without.ValidTokens, whole.ValidTokens);
    }

    private static long[] Row(Tensor matrix) => [.. Enumerable.Range(0, (int)matrix.shape[1]).Select(i => matrix[0, i].item<long>())];

    private static SequenceBatch Batch(MeshShape mesh, int replica, int rank, bool masked, ISequenceSource? source = null)
    {
        var specification = new StepSpecification
        {
            Model = new ModelShape(1, 8, 1, 1, 8, 8, 64, 8, false, false),
            Mesh = mesh,
            Microbatches = 8 / mesh.Data / 2,
            MicrobatchSize = 2,
        };
        return new SequenceBatch(
            source ?? new Counting(),
            Plan,
            new BatchView(specification, replica, ContextPartition.Indices(8, mesh.Context, rank), masked, DirectLink.Instance, RopeBase: 0)
        );
    }

    /// <summary>Token i of sample k is 10·k + i; documents of three tokens.</summary>
    private sealed class Counting : ISequenceSource
    {
        /// <summary>Places whose targets are learned; null: the source has no mask.</summary>
        public Func<int, bool>? Learned { get; init; }

        public string Fingerprint => "counting";

        public bool HasMarks => Learned is not null;

        public void ReadMarks(StepPlan step, long index, Span<TokenMarks> marks)
        {
            for (int i = 1; i < marks.Length; i++)
                marks[i] = Learned!(i - 1) ? TokenMarks.Learned : TokenMarks.None;
        }

        public StepPlan StepAt(long consumedTokens) => Plan;

        public void Read(StepPlan step, long index, Span<int> tokens, Span<int> documents)
        {
            for (int i = 0; i < tokens.Length; i++)
            {
                tokens[i] = (int)index * 10 + i;
                if (!documents.IsEmpty)
                    documents[i] = i / 3;
            }
        }
    }
}
