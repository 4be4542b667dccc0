namespace Uniscale.Programs.Tests;

public class ProgramGeneratorTests
{
    private static readonly ModelShape TwoLayers = Specs.Tiny with { Layers = 2 };

    [Fact]
    public void GradientsOfABlockAreReducedWhileTheBlockBelowGoesBackward() =>
        AssertProgram(
            Specs.Of(data: 2, microbatches: 1),
            """
            load m0 · count-tokens
            forward b0..3 m0
            backward b3 m0 · reduce-gradients b3
            backward b2 m0 · reduce-gradients b2
            backward b1 m0 · reduce-gradients b1
            backward b0 m0 · reduce-gradients b0 · norm · update b0..3
            """
        );

    [Fact]
    public void GradientsAccumulateOverMicrobatchesBeforeTheyAreReduced() =>
        AssertProgram(
            Specs.Of(data: 2, microbatches: 2, zero: 1),
            """
            load m0..1 · count-tokens
            forward b0..3 m0
            backward b3..0 m0
            forward b0..3 m1
            backward b3 m1 · reduce-gradients b3
            backward b2 m1 · reduce-gradients b2
            backward b1 m1 · reduce-gradients b1
            backward b0 m1 · reduce-gradients b0 · norm · update b0 · gather-updated b0 · update b1 · gather-updated b1 · update b2 · gather-updated b2 · update b3 · gather-updated b3
            """
        );

    [Fact]
    public void ParametersAreGatheredOnePassAheadAndReleased() =>
        AssertProgram(
            Specs.Of(data: 2, microbatches: 1, zero: 3),
            """
            load m0 · count-tokens · gather-parameters b0..1
            forward b0 m0 · release-parameters b0 · gather-parameters b2
            forward b1 m0 · release-parameters b1 · gather-parameters b3
            forward b2 m0 · release-parameters b2
            forward b3 m0 · gather-parameters b2
            backward b3 m0 · reduce-gradients b3 m0 · release-parameters b3 · gather-parameters b1
            backward b2 m0 · reduce-gradients b2 m0 · release-parameters b2 · gather-parameters b0
            backward b1 m0 · reduce-gradients b1 m0 · release-parameters b1
            backward b0 m0 · reduce-gradients b0 m0 · release-parameters b0 · norm · update b0..3
            """
        );

    [Fact]
    public void APipelineReceivesAheadAndSumsTiedEmbeddingsLast() =>
        AssertProgram(
            Specs.Of(pipeline: 2, data: 2, microbatches: 2, tied: true),
            """
            receive-activation b2 m0 @0 · load m0..1 · count-tokens · receive-activation b2 m1 @0
            forward b2..3 m0
            backward b3..2 m0 · send-gradient b2 m0 @0
            forward b2..3 m1
            backward b3..2 m1 · send-gradient b2 m1 @0 · reduce-gradients b2 · reduce-tied b3 @0 · reduce-gradients b3 · norm · update b2..3
            """,
            rank: 2
        );

    [Fact]
    public void WithoutReplicasNothingIsReduced()
    {
        var program = ProgramGenerator.Generate(Specs.Of(pipeline: 2, tensor: 2) with { Checksum = true }, 0);
        Assert.DoesNotContain(program.Instructions, at => at.Op is Op.ReduceGradients or Op.Checksum or Op.GatherUpdated);
    }

    [Fact]
    public void ThousandsOfRanksShareTheInstructionsOfTheirStage()
    {
        var spec = Specs.Of(pipeline: 4, data: 8, tensor: 4, microbatches: 8);
        var generator = new ProgramGenerator(spec);
        var (one, other) = (generator.Generate(32), generator.Generate(37));
        Assert.Equal(one.Instructions.Select(at => at with { Peer = -1 }), other.Instructions.Select(at => at with { Peer = -1 }));
        Assert.Equal([0, 64], one.Instructions.Select(at => at.Peer).Where(peer => peer >= 0).Distinct().Order());
        Assert.Equal([5, 69], other.Instructions.Select(at => at.Peer).Where(peer => peer >= 0).Distinct().Order());
    }

    private static void AssertProgram(StepSpecification spec, string expected, int rank = 0)
    {
        var program = ProgramGenerator.Generate(spec with { Model = TwoLayers with { TiedEmbeddings = spec.Model.TiedEmbeddings } }, rank);
        Assert.Equal(expected.ReplaceLineEndings("\n"), string.Join('\n', ProgramText.Lines(program)));
    }
}
