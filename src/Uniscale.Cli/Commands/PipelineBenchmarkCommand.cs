using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Experiments.Benchmarks;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale benchmark pipeline</c>: what each schedule costs in idle stages, predicted and measured.</summary>
internal static class PipelineBenchmarkCommand
{
    private static readonly JsonSerializerOptions Format = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
    };

    public static Command Create()
    {
        var command = new Command(
            "pipeline",
            "Measure the bubble of every schedule beside its formula. Passes are filled up to a set time by sleeping, so stages need no processor each."
        );
        var configuration = new ConfigurationInput(command);
        var pass = new Option<int>("--pass")
        {
            Description = "Milliseconds of a stage's forward pass over one microbatch.",
            DefaultValueFactory = _ => 24,
        };
        var steps = new Option<int>("--steps")
        {
            Description = "Measured steps of each schedule; the median counts.",
            DefaultValueFactory = _ => 5,
        };
        var json = CommonOptions.Json();
        command.Add(pass);
        command.Add(steps);
        command.Add(json);
        command.SetAction(parsed =>
        {
            var config = configuration.Load(parsed).Value;
            if (config.Parallel.Pipeline < 2)
                throw new UserErrorException(
                    $"parallel.pipeline is {config.Parallel.Pipeline}, and one stage has no bubble: set it to 2 or more."
                );
            int milliseconds = parsed.GetValue(pass),
                count = parsed.GetValue(steps);
            if (milliseconds < 1)
                throw new UserErrorException($"--pass {milliseconds} is no time: give 1 millisecond or more.");
            if (count < 1)
                throw new UserErrorException($"--steps {count} is not a number of steps: give 1 or more.");
            var output = parsed.InvocationConfiguration.Output;
            bool asJson = parsed.GetValue(json);
            if (!asJson)
                output.WriteLine(
                    $"{"schedule",-20} {"formula",8} {"program",8} {"measured",9} {"step, program",14} {"step, measured",15}"
                );
            var measurements = new List<PipelineMeasurement>();
            foreach (var measured in new PipelineBenchmark(config, TimeSpan.FromMilliseconds(milliseconds), count).Run())
            {
                measurements.Add(measured);
                if (!asJson)
                    output.WriteLine(Line(measured));
            }
            if (asJson)
                output.WriteLine(JsonSerializer.Serialize(measurements, Format));
            return 0;
        });
        return command;
    }

    private static string Line(PipelineMeasurement measured) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{measured.Schedule,-20} {measured.Formula,8:P1} {measured.Predicted,8:P1} {measured.Measured,9:P1} {measured.PredictedSeconds * 1e3,11:F0} ms {measured.MedianSeconds * 1e3,12:F0} ms"
        );
}
