using Uniscale.Checkpoints.Saving;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Tests.Saving;

/// <summary>
/// What ranks tell of their files is put together without their slices, and grows with what is cut differently, not with the number of
/// tensors.
/// </summary>
public sealed class WorldPlanTests
{
    private const int Ranks = 4;

    private static IReadOnlyList<StateTensor> Tensors(int layers) =>
        [
            .. Enumerable
                .Range(0, layers)
                .SelectMany(layer =>
                    (StateTensor[])
                        [
                            new($"layers.{layer}.w", ElementType.BFloat16, [16, 6]),
                            new($"layers.{layer}.norm", ElementType.BFloat16, [6]),
                            new($"m/layers.{layer}.w", ElementType.Float32, [16, 6]),
                        ]
                ),
        ];

    // Matrices are cut into equal ranges of elements, as optimizer shards are; norms are on all ranks.
    private static IEnumerable<StateSlice> Slices(int layers, int rank) =>
        Tensors(layers)
            .SelectMany(tensor =>
                tensor.Shape.Length == 2
                    ? FlatRange.Slices(
                        tensor.Name,
                        tensor.Type,
                        tensor.Shape,
                        [0, 0],
                        tensor.Shape,
                        96 * rank / Ranks + rank,
                        96 * (rank + 1) / Ranks + (rank < Ranks - 1 ? rank + 1 : 0) - (96 * rank / Ranks + rank),
                        0
                    )
                    : [new StateSlice(tensor.Name, tensor.Type, tensor.Shape, [0], tensor.Shape, 0) { Holders = [0, 1, 2, 3] }]
            );

    private static (WorldPlan World, SavePlan[] Plans, int ToldBytes) Plan(int layers)
    {
        SavePlan[] plans = [.. Enumerable.Range(0, Ranks).Select(rank => SavePlan.Make([.. Slices(layers, rank)], Tensors(layers), rank))];
        byte[][] told = [.. plans.Select((plan, rank) => Summary(plan, rank).ToBytes())];
        return (WorldPlan.Make(plans[0].Tensors, [.. told.Select(ShardSummary.Read)]), plans, told.Sum(bytes => bytes.Length));
    }

    private static ShardSummary Summary(SavePlan plan, int rank) => ShardSummary.Of(plan, ShardImage.OfRank(rank, plan.Content));

    [Fact]
    public void TensorsThatAreCutAlikeShareATiling()
    {
        var (world, _, told) = Plan(layers: 2);
        var (more, plans, toldMore) = Plan(layers: 200);
        // One for all matrices and their moments; a norm is whole in the file of one of the four.
        Assert.Equal(Ranks + 1, more.Tilings.Count);
        Assert.Equal(3, world.Tilings.Count);
        var matrices = more.Tensors.Where(tensor => tensor.Name.EndsWith('w')).Select(tensor => tensor.Tiling).Distinct();
        Assert.Equal(
            plans.Sum(plan => plan.Content.Keys.Count(key => key.Name == "layers.7.w")),
            more.Tilings[Assert.Single(matrices)].Parts.Count
        );
        Assert.True(toldMore < told + 4 * 3 * 2 * 200, $"{toldMore} bytes told of 200 layers, {told} of 2");
    }

    [Fact]
    public void WhatRanksHoldAlikeIsSharedOutOnceAndEvenly()
    {
        var (_, plans, _) = Plan(layers: 10);
        string[][] norms =
        [
            .. plans.Select(plan =>
                plan.Content.Keys.Select(key => key.Name).Where(name => name.EndsWith("norm", StringComparison.Ordinal)).ToArray()
            ),
        ];
        Assert.Equal(10, norms.SelectMany(names => names).Distinct().Count());
        Assert.All(norms, names => Assert.InRange(names.Length, 2, 3));
    }

    [Fact]
    public void WhatATableTellsIsReadBack()
    {
        var summary = Summary(SavePlan.Make([.. Slices(3, 1)], Tensors(3), 1), rank: 1);
        var read = ShardSummary.Read(summary.ToBytes());
        Assert.Equal((summary.FileName, summary.SizeBytes, summary.HeaderBytes), (read.FileName, read.SizeBytes, read.HeaderBytes));
        Assert.Equal(summary.ToBytes(), read.ToBytes());
    }

    [Fact]
    public void RanksOfDifferentModelsAreRefused()
    {
        var one = SavePlan.Make([.. Slices(2, 0)], Tensors(2), 0);
        var other = SavePlan.Make([.. Slices(3, 1)], Tensors(3), 1);
        var refused = Assert.Throws<CheckpointException>(() => WorldPlan.Make(one.Tensors, [Summary(one, 0), Summary(other, 1)]));
        Assert.Contains("ranks 0 and 1 disagree about the names, types and shapes", refused.Message);
    }

    [Theory]
    [InlineData(true, "no tensor of the checkpoint")]
    [InlineData(false, "of another type or shape")]
    public void ASliceIsOfATensorOfTheCheckpoint(bool isUnknown, string expected)
    {
        StateSlice slice = new(isUnknown ? "other" : "layers.0.norm", ElementType.Float32, [6], [0], [6], 0);
        Assert.Contains(expected, Assert.Throws<CheckpointException>(() => SavePlan.Make([slice], Tensors(1), 0)).Message);
    }

    [Fact]
    public void APlanIsKeptWhileTheSlicesAreTheSame()
    {
        var plan = SavePlan.Make([.. Slices(2, 1)], Tensors(2), 1);
        Assert.True(plan.Fits([.. Slices(2, 1).Select(slice => slice with { Address = 4096 })], Tensors(2)));
        Assert.False(plan.Fits([.. Slices(2, 2)], Tensors(2)));
        Assert.False(plan.Fits([.. Slices(2, 1)], Tensors(3)));
        Assert.False(plan.Fits([.. Slices(2, 1)], null));
    }
}
