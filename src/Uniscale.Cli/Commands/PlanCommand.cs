using System.CommandLine;
using Uniscale.Cli.Planning;
using Uniscale.Planning.Plans;
using Uniscale.Planning.Reports;
using Uniscale.Programs.Tracing;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale plan</c>: time, memory and cost of a run on hardware that is not here.</summary>
internal static class PlanCommand
{
    public static Command Create()
    {
        var command = new Command(
            "plan",
            "Predict a run on a cluster that is not here: memory of every rank, step time, MFU, days and cost."
        );
        var input = new PlanInput(command, required: false, wholeRun: true);
        var json = CommonOptions.Json();
        var trace = new Option<string?>("--trace")
        {
            Description = "Write the predicted step as a Chrome trace (opens in Perfetto).",
            HelpName = "FILE.json",
        };
        var html = new Option<string?>("--html") { Description = "Write the plan as a page with pictures.", HelpName = "FILE.html" };
        command.Add(json);
        command.Add(html);
        command.Add(trace);
        command.Add(PlanSearchCommand.Create());
        command.Add(PlanSimulateCommand.Create());
        command.Add(PlanCalibrateCommand.Create());
        command.Add(PlanCompareCommand.Create());
        command.Add(PublishedCommand.Create());
        command.SetAction(parsed =>
        {
            var config = input.Configuration(parsed);
            var (cluster, stack) = input.Cluster(parsed, config);
            if (parsed.GetValue(trace) is { } wanted)
                OutputFile.Check(wanted, "--trace");
            if (parsed.GetValue(html) is { } page)
                OutputFile.Check(page, "--html");
            var whole = PlanInput.SpecOf(config, input.Ranks(parsed))(config, 0);
            PlanInput.CheckSize(whole, cluster);
            var run = RunPlan.Of(config, cluster, stack, PlanInput.SpecOf(config, whole.Mesh.Size), input.PhaseLayouts(parsed));
            var planner = new StepPlanner(run.Main.Step.Spec, cluster);
            var memory =
                config.Train.Device == "cpu"
                    ? PlanInput.HostMemoryOfStages(config, run.Main.Step.Spec, cluster)
                    : planner.MemoryOfStages(stack);
            var output = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(trace) is { } file)
            {
                var times = planner.Price(stack, withIntervals: true).Times;
                ChromeTrace.Save(file, new Programs.Timing.PipelineTimeline(times.Intervals!, times.Classes.Max(at => at.PassesEnd)));
            }
            if (parsed.GetValue(html) is { } written)
                File.WriteAllText(written, PlanPage.OfPlan(config.Name, run, memory));
            if (parsed.GetValue(json))
                output.WriteLine(PlanJson.Text(PlanJson.Of(run, memory)));
            else
                PlanText.Write(output, run, memory);
            return 0;
        });
        return command;
    }
}
