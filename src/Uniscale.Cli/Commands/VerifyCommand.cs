using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Experiments.Verification;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale verify</c>: layouts against one rank, on loss, gradients and updated weights.</summary>
internal static class VerifyCommand
{
    private static readonly JsonSerializerOptions Format = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    public static Command Create()
    {
        var command = new Command(
            "verify",
            "Prove parallel layouts against one rank: loss at every step, gradients of the first, weights after the last. Exits with 1 where one differs."
        );
        var configuration = new ConfigurationInput(command);
        var layouts = new Option<string>("--layouts")
        {
            Description = "default, all, or layouts in short form separated by commas, e.g. 'tp2 pp2 dp2 zero3, cp4 ulysses'.",
            DefaultValueFactory = _ => "default",
        };
        var steps = new Option<int>("--steps") { Description = "Optimizer steps; default: train.steps, at most 20." };
        var reference = new Option<string>("--reference")
        {
            Description = "Where the one rank computes that layouts are compared with: cpu, or as train.device says.",
            DefaultValueFactory = _ => "same",
        };
        reference.AcceptOnlyFromAmong("same", "cpu");
        var json = CommonOptions.Json();
        command.Add(reference);
        command.Add(layouts);
        command.Add(steps);
        command.Add(json);
        command.SetAction(parsed =>
        {
            var config = configuration.Load(parsed).Value;
            var output = parsed.InvocationConfiguration.Output;
            string asked = parsed.GetValue(layouts)!;
            var job = new VerificationJob(
                config,
                Parse(asked),
                isList: asked is "default" or "all",
                StepsOf(config, parsed.GetValue(steps)),
                parsed.GetValue(reference) == "cpu" ? config with { Train = config.Train with { Device = "cpu" } } : null
            );
            var bounds = VerificationBounds.For(config.Train.Precision);
            bool asJson = parsed.GetValue(json);
            var errors = job.Run(
                error =>
                {
                    if (!asJson)
                        output.WriteLine(Line(error, bounds));
                },
                () =>
                {
                    if (!asJson)
                        output.WriteLine(Header(job));
                }
            );
            if (errors is null)
                return 0;
            if (asJson)
                output.WriteLine(ToJson(errors, bounds, job));
            else
                output.WriteLine(Verdict(errors, bounds));
            return errors.All(error => error.IsWithin(bounds)) ? 0 : 1;
        });
        return command;
    }

    private static IReadOnlyList<LayoutSpec> Parse(string text) =>
        text switch
        {
            "default" => [.. LayoutCatalogue.Default.Select(LayoutSpec.Parse)],
            "all" => [.. LayoutCatalogue.All.Select(LayoutSpec.Parse)],
            _ when text.Replace(",", "", StringComparison.Ordinal).Trim().Length == 0 => throw new UserErrorException(
                "--layouts names no layout; give default, all, or short forms such as 'tp2 pp2 dp2 zero3'."
            ),
            _ => [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(LayoutSpec.Parse)],
        };

    private static int StepsOf(RunConfiguration config, int asked) =>
        asked > 0 ? asked
        : config.Train.Steps > 0 ? (int)Math.Min(20, config.Train.Steps)
        : 20;

    private static string Header(VerificationJob job) =>
        $"{"layout",-44} {"ranks",5} {"loss",9} {"gradient",9} {"weights",9} {"MB/rank",8}  worst tensor ({job.Steps} steps, relative errors)";

    private static string Line(LayoutError error, VerificationBounds bounds) =>
        error.Refusal is { } refusal
            ? $"{error.Layout,-44} {error.Ranks,5} refused: {refusal}"
            : string.Create(
                CultureInfo.InvariantCulture,
                $"{error.Layout,-44} {error.Ranks,5} {error.Loss,9:0.0e+0} {error.Gradient,9:0.0e+0} {error.Weight,9:0.0e+0} {error.Memory.TotalBytes / 1e6,8:F2}  {(error.Gradient / bounds.Gradient > error.Weight / bounds.Weight ? error.WorstGradient : error.WorstWeight)}{(error.IsWithin(bounds) ? "" : "   DIFFERS")}"
            );

    private static string Verdict(IReadOnlyList<LayoutError> errors, VerificationBounds bounds)
    {
        int good = errors.Count(error => error.IsWithin(bounds));
        string limits = string.Create(
            CultureInfo.InvariantCulture,
            $"loss {bounds.Loss:0e+0}, gradients {bounds.Gradient:0e+0}, weights {bounds.Weight:0e+0}"
        );
        return good == errors.Count
            ? $"{good} layouts equal one rank within {limits}."
            : $"{good} of {errors.Count} layouts equal one rank within {limits}; {errors.Count - good} do not.";
    }

    private static string ToJson(IReadOnlyList<LayoutError> errors, VerificationBounds bounds, VerificationJob job) =>
        JsonSerializer.Serialize(
            new
            {
                job.Steps,
                Bounds = bounds,
                Layouts = errors.Select(error => new { Result = error, Equal = error.IsWithin(bounds) }),
                Equal = errors.All(error => error.IsWithin(bounds)),
            },
            Format
        );
}
