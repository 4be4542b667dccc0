using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Uniscale.Experiments.Faults;
using Uniscale.Launching.Processes;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale faults</c>: breaks a small run in every way and every layout, and holds it to what is promised.</summary>
internal static class FaultsCommand
{
    private static readonly JsonSerializerOptions Format = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
    };

    public static Command Create()
    {
        var file = new Argument<string>("MATRIX") { Description = "The matrix, for example configs/tests/faults.yaml." };
        var only = Names("--only", "Cases or kinds of fault to run; default: all (may be given again).", "CASE");
        var layouts = Names("--layout", "Layouts to run; default: all (may be given again).", "NAME");
        var directory = new Option<string?>("--directory")
        {
            Description = "Where the runs go; default: runs/NAME. Cells that fail stay there.",
            HelpName = "DIR",
        };
        var resume = new Option<bool>("--resume") { Description = "Keep the good cells of an earlier run of the same matrix." };
        var kills = new Option<int>("--kills")
        {
            Description =
                "Instead of the cases: kill ranks of one run so often, from outside, at random moments, half of them inside saves.",
            HelpName = "N",
        };
        var json = CommonOptions.Json();
        var command = new Command(
            "faults",
            "Break a small run in every way and layout: it must end bit-identical to an unbroken one, or as promised. Exits with 1 where a cell does not."
        )
        {
            file,
            only,
            layouts,
            directory,
            resume,
            kills,
            json,
        };
        command.SetAction(parsed =>
        {
            var matrix = FaultMatrix.Load(parsed.GetValue(file)!).Only(parsed.GetValue(only)!, parsed.GetValue(layouts)!);
            var output = parsed.InvocationConfiguration.Output;
            bool asJson = parsed.GetValue(json);
            string folder = Path.GetFullPath(parsed.GetValue(directory) ?? Path.Combine("runs", matrix.Name));
            if (parsed.GetValue(kills) is > 0 and var count)
                return Kill(new KillRun(matrix, folder, Program()), count, asJson, output);
            var results = new MatrixRunner(matrix, folder, Program()).Run(
                parsed.GetValue(resume),
                cell =>
                {
                    if (!asJson)
                        output.WriteLine(Line(cell));
                }
            );
            output.WriteLine(
                asJson
                    ? JsonSerializer.Serialize(results, Format)
                    : $"{Environment.NewLine}{MatrixTable.Write(results)}{Environment.NewLine}{Verdict(results, folder)}"
            );
            return results.All(cell => cell.IsGood) ? 0 : 1;
        });
        return command;
    }

    private static int Kill(KillRun run, int kills, bool asJson, TextWriter output)
    {
        var result = run.Run(kills);
        output.WriteLine(asJson ? JsonSerializer.Serialize(result, Format) : Words(result));
        return result.Problem.Length > 0 ? 1 : 0;
    }

    private static string Words(KillResult result)
    {
        string what = string.Create(
            CultureInfo.InvariantCulture,
            $"{result.Layout}: {result.Kills} kills, {result.InsideSaves} inside a save, in {result.Seconds:0} s ({result.Seconds / Math.Max(1, result.Kills):0.0} s each), after which {result.Verified} checkpoints were read whole"
        );
        return result.Problem.Length > 0
            ? $"{what}. FAILED: {result.Problem}"
            : $"{what}: each that said it was good was. The last weights and the optimizer's state are bit-identical to the unbroken run's.";
    }

    /// <summary>The executable beside this assembly: what this process runs may be another, such as a test.</summary>
    private static IReadOnlyList<string> Program()
    {
        string beside = Path.Combine(AppContext.BaseDirectory, "uniscale");
        return File.Exists(beside) ? [beside] : MpiLauncher.ThisExecutable();
    }

    private static Option<string[]> Names(string name, string description, string help) =>
        new(name)
        {
            Description = description,
            HelpName = help,
            DefaultValueFactory = _ => [],
        };

    private static string Line(CellResult cell) =>
        cell.Outcome switch
        {
            CellOutcome.Impossible => $"{cell.Case,-28} {cell.Layout,-10} -         {cell.Problem}",
            CellOutcome.Failed => $"{cell.Case,-28} {cell.Layout,-10} FAILED    {cell.Problem}",
            _ => string.Create(
                CultureInfo.InvariantCulture,
                $"{cell.Case,-28} {cell.Layout,-10} {(cell.Outcome == CellOutcome.Identical ? "same bits" : $"exit {cell.ExitCode}"),-9} "
                    + $"noticed after {Seconds(cell.DetectSeconds)}, back after {Seconds(cell.BackSeconds)} ({cell.Seconds:0.0} s in all)"
            ),
        };

    private static string Seconds(double? seconds) =>
        seconds is { } known ? string.Create(CultureInfo.InvariantCulture, $"{known:0.0} s") : "-";

    private static string Verdict(IReadOnlyList<CellResult> results, string folder)
    {
        int impossible = results.Count(cell => cell.Outcome == CellOutcome.Impossible),
            failed = results.Count(cell => !cell.IsGood);
        int good = results.Count - impossible - failed;
        string tail = $"'same': the bits of the unbroken run; then seconds until it was noticed / until the lost step was done again.";
        return failed == 0
            ? $"{good} cells are as promised ({impossible} cannot be). {tail}"
            : $"{failed} of {good + failed} cells are not as promised; what they left is in {Path.Combine(folder, "cells")}. {tail}";
    }
}
