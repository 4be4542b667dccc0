using System.CommandLine;
using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Launching.Processes;
using Uniscale.Launching.Ranks;
using Uniscale.Torch;
using Uniscale.Training.Preflight;

namespace Uniscale.Cli.Doctor;

/// <summary>The preflight by itself: ranks on all slots of a host file, which compute nothing else.</summary>
internal static class NodeExamination
{
    private static readonly JsonSerializerOptions Format = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>How the ranks of an examination are told from the command that starts them.</summary>
    public static Option<bool> IsRank { get; } = new("--as-rank") { Hidden = true };

    public static Option<string?> Hosts { get; } =
        new("--hosts")
        {
            Description =
                "Look at the nodes of a host file instead: GEMM, memory and links of all of them at the same time, compared. Exits with 1 where one is slow or wrong.",
            HelpName = "FILE",
        };

    public static Option<string> Device { get; } =
        new("--device") { Description = "With --hosts: where to compute, cpu or cuda.", DefaultValueFactory = _ => "cpu" };

    public static Option<string?> MpirunName { get; } =
        new("--mpirun") { Description = "With --hosts: the mpirun to use.", HelpName = "NAME" };

    /// <summary>Starts a rank for each slot, and tells what they have found.</summary>
    public static int Start(string hosts, string device, string? mpirun, bool asJson, InvocationConfiguration console)
    {
        if (device is not ("cpu" or "cuda"))
            throw new UserErrorException($"--device {device} is no device: give cpu or cuda.");
        var file = HostFile.Read(hosts);
        if (file.Lines.Count == 0)
            throw new UserErrorException($"The host file {hosts} names no hosts: write one a line, such as n0 slots=2.");
        MpiLauncher.CheckAllocation(mpirun);
        using var said = new StringWriter();
        var result = MpiLauncher.Run(
            new LaunchOptions
            {
                Ranks = file.SlotsOf(share: 1),
                Arguments = ["doctor", IsRank.Name, Device.Name, device],
                HostFile = hosts,
                Mpirun = mpirun,
                Output = said,
                Error = console.Error,
                Environment = new Dictionary<string, string> { ["TERM"] = "dumb" },
            }
        );
        string? line = said.ToString().Split('\n').FirstOrDefault(line => line.StartsWith('{'));
        if (result.ExitCode != 0 || line is null)
        {
            console.Error.WriteLine(
                $"uniscale: the nodes could not be looked at: {result.First?.ToString() ?? "mpirun failed; its words are above"}"
            );
            return result.ExitCode == 0 ? 1 : result.ExitCode;
        }
        var report = JsonSerializer.Deserialize<PreflightReport>(line, Format)!;
        if (asJson)
            console.Output.WriteLine(line);
        else
            Print(report, console.Output);
        return report.Findings.Count == 0 ? 0 : 1;
    }

    /// <summary>One rank of an examination; rank 0 prints the report.</summary>
    public static void RunRank(string device, TextWriter output)
    {
        var environment = RankEnvironment.Detect();
        if (!environment.IsLaunched)
            throw new UserErrorException($"{IsRank.Name} is for the ranks of `uniscale doctor --hosts FILE`: give {Hosts.Name}.");
        var configuration = new RunConfiguration
        {
            Train = new() { Device = device, Precision = device == "cuda" ? PrecisionKind.Bf16 : PrecisionKind.Fp32 },
        };
        TorchThreads.Set(Math.Max(1, Environment.ProcessorCount / environment.LocalSize));
        ProcessRank.Run(
            environment,
            world =>
            {
                var report = NodePreflight.Of(configuration, world, environment.Host);
                if (world.Rank == 0)
                    output.WriteLine(JsonSerializer.Serialize(report, Format));
            },
            RankDevices.Of(configuration)
        );
    }

    private static void Print(PreflightReport report, TextWriter output)
    {
        var rows = new List<string[]> { (string[])["host", "ranks", "GEMM", "memory", "link", ""] };
        foreach (var ranks in report.Ranks.GroupBy(rank => rank.Host))
        {
            var finding = report.Findings.FirstOrDefault(finding => finding.Host == ranks.Key);
            double link = ranks.Max(rank => rank.Link);
            rows.Add([
                ranks.Key,
                $"{ranks.Count()}",
                NodeFinding.Rate(ranks.Min(rank => rank.Gemm), "FLOP/s"),
                NodeFinding.Rate(ranks.Min(rank => rank.Memory), "B/s"),
                link > 0 ? NodeFinding.Rate(link, "B/s") : "-",
                finding is null ? "ok"
                : finding.IsWrong ? "WRONG"
                : "SLOW",
            ]);
        }
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length))];
        foreach (string[] row in rows)
            output.WriteLine(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
        output.WriteLine(report.Sentence);
        foreach (var finding in report.Findings)
            output.WriteLine($"{finding.Sentence}.");
    }
}
