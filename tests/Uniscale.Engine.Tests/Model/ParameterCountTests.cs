using Uniscale.Configuration;
using Uniscale.Engine.Model;
using Uniscale.Programs;
using Uniscale.Programs.Memory;

namespace Uniscale.Engine.Tests.Model;

/// <summary>What the planner counts is what the blocks have.</summary>
public class ParameterCountTests
{
    public static TheoryData<ModelSection> Models =>
        new()
        {
            new ModelSection
            {
                Layers = 2,
                Hidden = 64,
                Heads = 4,
                KvHeads = 2,
                Vocabulary = 100,
            },
            new ModelSection
            {
                Layers = 3,
                Hidden = 48,
                Heads = 4,
                Vocabulary = 77,
                Norm = NormKind.LayerNorm,
                Activation = ActivationKind.Gelu,
                Positions = PositionKind.Learned,
                QkvBias = true,
                AttentionOutputBias = true,
                FfnBias = true,
            },
        };

    [Theory]
    [MemberData(nameof(Models), DisableDiscoveryEnumeration = true)]
    public void EveryBlockHasAsManyParametersAsThePlannerCounts(ModelSection model)
    {
        var spec = SpecificationBuilder.Build(new RunConfiguration { Model = model }, ranks: 1);
        var blocks = Transformer.Blocks(model, model.Vocabulary);
        for (int block = 0; block < blocks.Count; block++)
            Assert.Equal(
                blocks[block].Parameters.Sum(parameter => parameter.Shape.Aggregate(1L, (a, b) => a * b)),
                ParameterCount.OfBlock(spec, block)
            );
    }
}
