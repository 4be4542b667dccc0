using System.Diagnostics;
using System.Text.Json;
using Uniscale.NcclEmulation;

namespace Uniscale.Cli.Tests.Commands;

/// <summary>
/// Whole jobs whose collectives go by NCCL, on its emulator: layouts and faults in a short form (scripts/test-nccl.sh runs all).
/// </summary>
public sealed class NcclCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-nccl-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Layouts where a device runs one kernel of NCCL at a time, by the oldest version that is taken.</summary>
    [Theory]
    [InlineData(4, "--layouts", "dp2 zero3, tp2 sp, pp2, tp2 dp2 zero1")]
    [InlineData(15)]
    public void Layouts_equal_one_rank(int count, params string[] layouts)
    {
        if (layouts.Length == 0)
            Nightly.Only();
        var (code, output) = Run(EmulatorLibraries.Oldest, "one_slot=1,jitter=50", ["verify", Verified, "--steps", "2", .. layouts]);
        Assert.True(code == 0, output);
        Assert.Contains($"{count} layouts equal one rank", output);
    }

    [Fact]
    public void Layouts_equal_one_rank_by_the_librarys_own_all_to_all()
    {
        var (code, output) = Run(
            EmulatorLibraries.Newest,
            "communication_delay=200",
            "verify",
            Verified,
            "--steps",
            "2",
            "--layouts",
            "cp2 ulysses, tied pp2 dp2 zero2"
        );
        Assert.True(code == 0, output);
    }

    [Theory]
    [InlineData("kill inside a collective", "ZeRO-3 2")]
    [InlineData("exception inside a collective", "PP 2")]
    public void The_cell_is_as_promised(string name, string layout) => Holds("faults.yaml", "one_slot=1", name, layout, "identical");

    [Theory]
    [InlineData("ranks disagree", "TP 2")]
    [InlineData("a rank is slow", "DP 2")]
    public void The_cell_is_as_promised_by_night(string name, string layout)
    {
        Nightly.Only();
        The_cell_is_as_promised(name, layout);
    }

    /// <summary>Ranks as processes under mpirun, whose devices move nothing: the supervisor names who hangs and starts again.</summary>
    [Fact]
    public void A_process_that_hangs_in_a_collective_is_named_and_the_job_starts_again()
    {
        Nightly.Only();
        Holds("faults-processes.yaml", "alone=1,one_slot=1", "hang inside a collective", "TP 2", "promised");
    }

    [Theory]
    [InlineData(EmulatorLibraries.TooOld, "devices=8", "is NCCL 2.17.1, but Uniscale needs 2.18.0 or newer, which can split communicators")]
    [InlineData(EmulatorLibraries.Newest, "devices=1", "This host shows 1 CUDA device, but its ranks need 2 or more, one each")]
    public void What_does_not_fit_is_the_users_error(int version, string settings, string sentence)
    {
        using var corpus = new SmallCorpus();
        var (code, output) = Run(version, settings, "train", corpus.In("base.yaml"), "--ranks", "2");
        Assert.Contains(sentence, output);
        Assert.Equal(2, code);
    }

    private static string Root => Repository.Root;

    private static string Verified => Path.Combine(Root, "configs", "tests", "verify-tiny.yaml");

    private void Holds(string matrix, string settings, string name, string layout, string outcome)
    {
        var (code, output) = Run(
            EmulatorLibraries.Newest,
            settings,
            "faults",
            Path.Combine(Root, "tests", "NcclEmulator", matrix),
            "--only",
            name,
            "--layout",
            layout,
            "--directory",
            _folder,
            "--json"
        );
        Assert.True(code == 0, output);
        using var cells = JsonDocument.Parse(output);
        Assert.Equal(outcome, Assert.Single(cells.RootElement.EnumerateArray()).GetProperty("outcome").GetString());
    }

    /// <summary>The program in a process of its own, whose environment names the emulator.</summary>
    private static (int Code, string Output) Run(int version, string settings, params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "uniscale"), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in EmulatorLibraries.Variables(version))
            start.Environment[name] = value;
        start.Environment[Launching.Ranks.RankDevices.CollectivesVariable] = "nccl";
        start.Environment["NCCL_EMULATOR"] = settings;
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.Result);
    }
}
