using System.CommandLine;
using System.Text.Json;
using Uniscale.Cli.Doctor;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale doctor</c>: what training needs, found or what to install.</summary>
internal static class DoctorCommand
{
    /// <summary>The one command that runs on a processor that all others refuse, to say so.</summary>
    public const string Name = "doctor";

    private static readonly JsonSerializerOptions Format = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
    };

    public static Command Create()
    {
        var json = CommonOptions.Json();
        var command = new Command(
            Name,
            "Look for everything that training needs, and say what to install. Exits with 1 where something required is missing."
        )
        {
            json,
            NodeExamination.Hosts,
            NodeExamination.Device,
            NodeExamination.MpirunName,
            NodeExamination.IsRank,
        };
        command.SetAction(parsed =>
        {
            string device = parsed.GetValue(NodeExamination.Device)!;
            if (parsed.GetValue(NodeExamination.IsRank))
            {
                NodeExamination.RunRank(device, parsed.InvocationConfiguration.Output);
                return 0;
            }
            if (parsed.GetValue(NodeExamination.Hosts) is { } hosts)
                return NodeExamination.Start(
                    hosts,
                    device,
                    parsed.GetValue(NodeExamination.MpirunName),
                    parsed.GetValue(json),
                    parsed.InvocationConfiguration
                );
            var findings = Examination.Run(Libraries.OfSystem());
            var output = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(json))
                output.WriteLine(JsonSerializer.Serialize(findings, Format));
            else
                Print(findings, output);
            return findings.Any(finding => finding is { Required: true, Found: false }) ? 1 : 0;
        });
        return command;
    }

    internal static void Print(IReadOnlyList<Finding> findings, TextWriter output)
    {
        int width = findings.Max(finding => finding.Name.Length);
        foreach (var finding in findings)
        {
            string mark =
                finding.Found ? "ok     "
                : finding.Required ? "MISSING"
                : "absent ";
            output.WriteLine($"{mark}  {finding.Name.PadRight(width)}  {finding.Details}");
            if (finding.Advice is { } advice)
                output.WriteLine($"{new string(' ', 9)}{new string(' ', width)}  -> {advice}");
        }
        int missing = findings.Count(finding => finding is { Required: true, Found: false });
        output.WriteLine(
            missing == 0
                ? "Everything that training needs is here."
                : $"{missing} required {(missing == 1 ? "thing is" : "things are")} missing."
        );
    }
}
