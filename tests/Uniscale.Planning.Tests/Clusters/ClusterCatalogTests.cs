using Uniscale.Configuration;
using Uniscale.Planning.Clusters;
using Uniscale.Planning.Plans;

namespace Uniscale.Planning.Tests.Clusters;

public sealed class ClusterCatalogTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-clusters-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Every_shipped_cluster_is_read_and_prices_a_step() =>
        Assert.All(
            ClusterCatalog.Names,
            name =>
            {
                var cluster = ClusterCatalog.Load(name);
                Assert.Equal(name, cluster.Name);
                Assert.True(PricedStep.Of(Specs.Of(), cluster, cluster.StackOf("")).Seconds > 0);
            }
        );

    [Fact]
    public void A_name_that_is_unknown_gets_its_nearest() =>
        Assert.Contains("did you mean 'a800-80'?", Refusal(() => ClusterCatalog.Load("a80-80")));

    [Fact]
    public void A_figure_without_a_source_is_refused() =>
        Assert.Contains("chip.memory has a value but no source", Refusal(() => Load("chip: { memory: { value: 80GB } }")));

    [Fact]
    public void A_figure_that_is_no_number_is_refused() =>
        Assert.Contains(
            "chip.memory.value is '80 apples'",
            Refusal(() => Load("chip: { memory: { value: 80 apples, source: a friend } }"))
        );

    /// <summary>Times would be infinite, and nothing would say why; what is added, such as a latency, may be nothing.</summary>
    [Theory]
    [InlineData("node: { gpus: { value: 0, source: here } }", "node.gpus.value is 0")]
    [InlineData("node: { link_bandwidth: { value: 0, source: here } }", "node.link_bandwidth.value is 0")]
    [InlineData("chip: { peak_bf16: { value: 0T, source: here } }", "chip.peak_bf16.value is 0")]
    public void A_figure_that_divides_is_not_zero(string yaml, string sentence)
    {
        Assert.Contains(sentence, Refusal(() => Load(yaml)));
        Load("node: { link_latency: { value: 0ms, source: here } }");
    }

    [Fact]
    public void A_figure_that_a_prediction_needs_and_nobody_knows_is_named()
    {
        var cluster = Load("stacks: [{ name: s, source: here, constants: { matmul: 1, memory: 1, node_link: 1, fabric_link: 1 } }]");
        Assert.Contains("node.gpus is unknown", Refusal(() => PricedStep.Of(Specs.Of(), cluster, cluster.StackOf(""))));
    }

    [Fact]
    public void A_seventh_fitted_constant_is_refused() =>
        Assert.Contains("keep at most 6", Refusal(() => Load("stacks: [{ name: s, source: here, free: [a, b, c, d, e, f, g] }]")));

    private Cluster Load(string yaml)
    {
        string file = Path.Combine(_folder, "mine.yaml");
        File.WriteAllText(file, "name: mine\n" + yaml);
        return ClusterCatalog.Load(file);
    }

    private static string Refusal(Func<object> action) => Assert.Throws<UserErrorException>(action).Message;
}
