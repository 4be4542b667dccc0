using Uniscale.Configuration;
using Uniscale.Planning.Clusters;
using Uniscale.Planning.Memory;
using Uniscale.Planning.Published;

namespace Uniscale.Planning.Tests.Memory;

/// <summary>
/// State and activations of the first stage, GiB, as Korthikanti et al., 2022, publish them (table 5's models; layers alone, 18 bytes a
/// parameter).
/// </summary>
public class KorthikantiMemoryTests
{
    private const double Gibi = 1L << 30;

    private static readonly Cluster Selene = ClusterCatalog.Load("a100-80-selene");

    [Theory]
    [InlineData("22B", 45.56, 59.25, 9.56)]
    [InlineData("175B", 45.56, 66.84, 12.35)]
    [InlineData("530B", 31.64, 114.02, 23.08)]
    [InlineData("1T", 32.96, 131.25, 26.56)]
    public void Activations_and_state_are_within_two_percent(string model, double state, double plain, double selective)
    {
        var spec = MegatronRows.Korthikanti.First(row => row.Name.StartsWith(model + " SP", StringComparison.Ordinal)).Spec;
        Assert.Equal(selective, Kept(spec), selective * 0.02);
        Assert.Equal(plain, Kept(spec with { SequenceParallel = false, Recompute = RecomputeKind.None }), plain * 0.02);
        Assert.Equal(state, StateOfLayers(spec), state * 0.02);
    }

    /// <summary>
    /// The paper counts layers alone; the last stage's logits and the first stage's embedding come on top here and are left out of both
    /// sides.
    /// </summary>
    private static double Kept(StepSpecification spec) => Account(spec).KeptBytes / Gibi;

    private static double StateOfLayers(StepSpecification spec)
    {
        var account = Account(spec);
        double embedding = ParameterCount.OfBlock(spec, 0);
        double head = spec.Mesh.Pipeline == 1 ? ParameterCount.OfBlock(spec, spec.Model.Head) : 0;
        return (account.StateBytes - 18 * (embedding + head)) / Gibi;
    }

    private static RankMemory Account(StepSpecification spec) =>
        RankMemory.Of(spec, ProgramGenerator.Generate(spec, 0), Selene, Selene.StackOf("megatron"));
}
