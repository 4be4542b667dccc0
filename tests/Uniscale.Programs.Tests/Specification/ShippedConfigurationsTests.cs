using Uniscale.Configuration;
using Uniscale.Configuration.Tests;
using Uniscale.Programs.Memory;

namespace Uniscale.Programs.Tests.Specification;

public sealed class ShippedConfigurationsTests
{
    public static TheoryData<string> Configurations() => RepositoryFiles.Configurations();

    [Theory]
    [MemberData(nameof(Configurations))]
    public void Each_passes_the_gate(string name)
    {
        var resolved = ConfigurationLoader.Load(RepositoryFiles.Configuration(name));
        var configuration = resolved.Value;
        LayoutGate.Check(resolved);
        int ranks = configuration.Parallel.ReplicaRanks * Math.Max(1, configuration.Parallel.Data);
        Assert.Equal(Math.Max(1, configuration.Parallel.Data), LayoutGate.CheckWorld(configuration, ranks));
    }

    [Theory]
    [InlineData("quickstart.yaml", 13_767_552)]
    [InlineData("benchmarks/benchmark-a.yaml", 13_891_584)]
    [InlineData("benchmarks/benchmark-b.yaml", 110_025_216)]
    [InlineData("models/gpt2-small.yaml", 124_439_808)]
    [InlineData("models/llama-7b.yaml", 6_738_415_616)]
    [InlineData("models/internlm2-1.8b.yaml", 1_889_110_016)]
    [InlineData("models/internlm2-7b.yaml", 7_737_708_544)]
    [InlineData("models/internlm2-20b.yaml", 19_861_149_696)]
    public void The_published_models_have_their_published_sizes(string name, long parameters)
    {
        var model = ConfigurationLoader.Load(RepositoryFiles.Configuration(name)).Value.Model;
        Assert.Equal(parameters, ParameterCount.OfModel(model, model.Vocabulary));
    }

    [Fact]
    public void The_104B_model_has_the_published_shape_and_runs_on_2048_ranks()
    {
        var configuration = ConfigurationLoader.Load(RepositoryFiles.Configuration("models/internlm-104b.yaml")).Value;
        var model = configuration.Model;
        Assert.Equal((82, 80, 128, 10240, 2048), (model.Layers, model.Heads, model.HeadWidth, model.Hidden, model.Context));
        Assert.InRange(ParameterCount.OfModel(model, model.Vocabulary), 104.0e9, 105.0e9);
        Assert.Equal(64, LayoutGate.CheckWorld(configuration, 2048));
        Assert.Equal(1_604_900_000_000, configuration.Data.Sources.Sum(source => source.VirtualTokens));
    }

    [Fact]
    public void Model_operations_follow_the_printed_formula()
    {
        // 6 · (13,891,584 − 256 · 384 positions) + 12 · 6 · 384 · 256
        var model = ConfigurationLoader.Load(RepositoryFiles.Configuration("benchmarks/benchmark-a.yaml")).Value.Model;
        Assert.Equal(89_837_568, ModelFlops.PerToken(model, 8192));
    }
}
