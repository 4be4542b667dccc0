using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Uniscale.Checkpoints.Saving;
using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Engine.Devices;
using Uniscale.Kernels;
using Uniscale.Launching.Ranks;
using Uniscale.Training.Runtime;
using static TorchSharp.torch;

namespace Uniscale.Training.Preflight;

/// <summary>What the preflight says of a job's nodes; the same on all ranks.</summary>
/// <param name="Ranks">Figures of every rank.</param>
/// <param name="Findings">Nodes at fault.</param>
/// <param name="Time">How long it took.</param>
public sealed record PreflightReport(IReadOnlyList<NodeFigures> Ranks, IReadOnlyList<NodeFinding> Findings, TimeSpan Time)
{
    /// <summary>All of it in a sentence.</summary>
    public string Sentence
    {
        get
        {
            int hosts = Ranks.Select(rank => rank.Host).Distinct().Count();
            double[] links = [.. Ranks.Select(rank => rank.Link).Where(link => link > 0)];
            return string.Create(
                CultureInfo.InvariantCulture,
                $"Preflight of {hosts} {(hosts == 1 ? "host" : "hosts")}, {Ranks.Count} {(Ranks.Count == 1 ? "rank" : "ranks")} in {Time.TotalSeconds:0.0} s: GEMM {Between(Ranks.Select(rank => rank.Gemm), "FLOP/s")}, memory {Between(Ranks.Select(rank => rank.Memory), "B/s")}{(links.Length > 0 ? $", links {Between(links, "B/s")}" : "")}."
            );
        }
    }

    private static string Between(IEnumerable<double> values, string unit) =>
        $"{NodeFinding.Rate(values.Min(), unit)} to {NodeFinding.Rate(values.Max(), unit)}";
}

/// <summary>
/// A look at the nodes of a job: all ranks multiply, then copy, then exchange messages with other hosts at the same time, and are compared.
/// What is slow is measured
/// again before it is said, for another program may have had the machine.
/// </summary>
/// <param name="world">All ranks; every one runs it.</param>
/// <param name="host">Host of this one.</param>
/// <param name="link">Where its tensors lie.</param>
/// <param name="kernels">By what it multiplies.</param>
/// <param name="type">In which precision.</param>
/// <param name="section">What counts as slow.</param>
public sealed class NodePreflight(IWorld world, string host, HostLink link, IKernels kernels, ScalarType type, PreflightSection section)
{
    /// <summary>
    /// With this variable the launcher says that it can start the job again without a slow node; else such a node is told of, and trains.
    /// </summary>
    public const string RefusesSlowVariable = "UNISCALE_PREFLIGHT_REFUSES_SLOW";

    private const int Looks = 3;

    private static readonly TimeSpan GemmTime = TimeSpan.FromMilliseconds(250),
        MemoryTime = TimeSpan.FromMilliseconds(150);

    /// <summary>Whether a start is to look, as its configuration says.</summary>
    /// <param name="configuration">The run.</param>
    /// <param name="environment">Place of this rank.</param>
    public static bool IsWanted(RunConfiguration configuration, RankEnvironment environment) =>
        configuration.Preflight.When switch
        {
            PreflightWhen.Always => true,
            PreflightWhen.Never => false,
            _ => environment.LocalSize < environment.WorldSize,
        };

    /// <summary>Looks with the kernels and in the precision of a run. Collective.</summary>
    /// <param name="configuration">The run.</param>
    /// <param name="world">All ranks.</param>
    /// <param name="host">Host of this one.</param>
    /// <param name="around">What comes between the kernels and the check; null: nothing.</param>
    public static PreflightReport Of(RunConfiguration configuration, IWorld world, string host, Func<IKernels, IKernels>? around = null)
    {
        using var link = HostLink.Of(configuration, world);
        var kernels = RuntimeParts.KernelsFor(link.Device, packWeights: true);
        using var owned = kernels as IDisposable;
        var type = configuration.Train.Precision.TensorType();
        return new NodePreflight(world, host, link, around?.Invoke(kernels) ?? kernels, type, configuration.Preflight).Run();
    }

    /// <summary>Looks, and compares. Collective.</summary>
    public PreflightReport Run()
    {
        long start = Stopwatch.GetTimestamp();
        var ranks = Gather(new NodeFigures(world.Rank, host, 0, 0, 0, ""));
        string[] hosts = [.. ranks.Select(rank => rank.Host)];
        using var gemm = new GemmCheck(link, kernels, type);
        IReadOnlyList<NodeFinding> findings = [];
        for (int look = 0; look < Looks; look++)
        {
            var seen = Gather(Look(gemm, hosts));
            ranks = [.. ranks.Zip(seen, (before, now) => before.Better(now))];
            findings = NodeFinding.Of(ranks, section);
            if (findings.All(finding => finding.IsWrong))
                break;
        }
        return new PreflightReport(ranks, findings, Stopwatch.GetElapsedTime(start));
    }

    /// <summary>
    /// Ends the job where nodes compute wrongly, or are slow and the launcher can do without them. Collective: the ranks that have shown it
    /// throw, the others' collectives fail.
    /// </summary>
    /// <exception cref="NodeRefusedException">This rank has shown that its node is at fault.</exception>
    public static void Refuse(PreflightReport report, IWorld world)
    {
        bool refusesSlow = Environment.GetEnvironmentVariable(RefusesSlowVariable) == "1";
        var refused = report.Findings.Where(finding => finding.IsWrong || refusesSlow).ToList();
        if (refused.Count == 0)
            return;
        if (refused.Exists(finding => finding.Rank == world.Rank))
            throw new NodeRefusedException(
                $"the preflight refuses {string.Join("; ", refused.Select(finding => finding.Sentence))}",
                [.. refused.Select(finding => finding.Host)]
            );
        world.Group.Barrier().Wait();
    }

    private NodeFigures Look(GemmCheck gemm, IReadOnlyList<string> hosts)
    {
        world.Group.Barrier().Wait();
        var (multiplied, wrongProduct) = gemm.Run(GemmTime);
        world.Group.Barrier().Wait();
        var (copied, wrongCopy) = MemoryCheck.Run(link, MemoryTime);
        world.Group.Barrier().Wait();
        var (linked, wrongMessage) = LinkCheck.Run(world, link, hosts);
        return new NodeFigures(
            world.Rank,
            host,
            multiplied,
            copied,
            linked,
            string.Join(", and ", ((string[])[wrongProduct, wrongCopy, wrongMessage]).Where(text => text.Length > 0))
        );
    }

    private IReadOnlyList<NodeFigures> Gather(NodeFigures own) =>
        [
            .. GroupExchange
                .AllGather(world.HostGroup, JsonSerializer.SerializeToUtf8Bytes(own))
                .Select(bytes => JsonSerializer.Deserialize<NodeFigures>(bytes)!),
        ];
}
