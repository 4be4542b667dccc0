using Uniscale.Planning.Clusters;
using Uniscale.Planning.Memory;
using Uniscale.Planning.Plans;

namespace Uniscale.Planning.Tests.Clusters;

public sealed class MachineFitTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    /// <summary>A machine that behaves as the planner thinks is found again, and its file gives the same predictions.</summary>
    [Fact]
    public void Constants_are_found_again_and_survive_the_file()
    {
        Figure Of(string value) => new() { Value = value, Source = "test" };
        var truth = new ConstantsSection
        {
            Matmul = 0.6,
            Attention = 0.2,
            Memory = 0.7,
            FullNode = 0.8,
            NodeLink = 0.4,
            FabricLink = 1,
            Overhead = 1e-4,
        };
        var machine = new ClusterFile
        {
            Name = "mine",
            Chip = new ChipSection
            {
                Name = "core",
                PeakBf16 = Of("200G"),
                Memory = Of("8GB"),
                MemoryBandwidth = Of("10GB"),
            },
            Node = new NodeSection { Gpus = Of("2"), LinkBandwidth = Of("5GB") },
            Stacks = [new StackSection { Name = "uniscale", Source = "test" }],
        };
        var cluster = new Cluster(machine, "mine");
        var process = new Cluster(
            machine with
            {
                Process = new ProcessSection
                {
                    Context = Of("150MB"),
                    Workspace = Of("20MB"),
                    Fragmentation = Of("0.3"),
                },
            },
            "mine"
        );
        MeasuredLayout Measured(StepSpecification spec, bool threads = true, double slower = 1)
        {
            double seconds = PricedStep.Of(spec, cluster, machine.Stacks[0] with { Constants = truth }).Seconds;
            return new MeasuredLayout(
                "layout",
                spec,
                threads,
                slower * seconds,
                new HostAccount(spec, process, savesBehind: true, threads).OfProcess(0),
                Heaviest: 0
            );
        }
        var wide = Specs.Of() with { Model = Specs.Model with { Hidden = 512, Ffn = 2048, HeadDim = 128 } };
        MeasuredLayout[] layouts =
        [
            Measured(Specs.Of(microbatches: 1)),
            Measured(wide),
            Measured(wide with { Model = wide.Model with { Context = 1024 } }),
            Measured(Specs.Of(data: 2)),
            Measured(Specs.Of(tensor: 2)),
            Measured(wide with { Mesh = new MeshShape(1, 2, 1, 1) }),
            Measured(wide with { Mesh = new MeshShape(1, 1, 1, 2) }),
            Measured(wide with { Microbatches = 16 }),
        ];
        var fitted = MachineFit.Of(machine, layouts, "test");
        var messages = MachineFit
            .Of(
                machine,
                [
                    .. layouts,
                    Measured(Specs.Of(data: 2), threads: false, slower: 1.2),
                    Measured(Specs.Of(tensor: 2), threads: false, slower: 1.2),
                ],
                "test"
            )
            .Stacks[1];
        Assert.True(
            messages.Constants.FullNode < fitted.Stacks[0].Constants.FullNode
                || messages.Constants.NodeLink < fitted.Stacks[0].Constants.NodeLink
        );
        Assert.Equal(MachineFit.MessagePassing, messages.Name);
        File.WriteAllText(_file, ClusterWriter.Text(fitted));
        var read = ClusterCatalog.Load(_file);
        var stack = read.StackOf("");
        Assert.Single(read.File.Stacks);
        Assert.All(layouts, layout => Assert.Equal(1, PricedStep.Of(layout.Spec, read, stack).Seconds / layout.Seconds, 0.02));
        Assert.All(layouts, layout => Assert.InRange(layout.Bytes(read) / layout.ResidentBytes, 1.0299, 1.10));
    }
}
