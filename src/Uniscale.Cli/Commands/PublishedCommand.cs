using System.CommandLine;
using Uniscale.Cli.Planning;
using Uniscale.Planning.Clusters;
using Uniscale.Planning.Plans;
using Uniscale.Planning.Published;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale plan published</c>: the planner's error on published measurements.</summary>
internal static class PublishedCommand
{
    public static Command Create()
    {
        var command = new Command(
            "published",
            "Predict every published row that a layout can express, and show the error; with --fit, fit the constants anew."
        );
        var json = CommonOptions.Json();
        var fit = new Option<bool>("--fit")
        {
            Description = "Fit each stack's free constants on its fitted rows and show what they become.",
        };
        command.Add(json);
        command.Add(fit);
        command.SetAction(parsed =>
        {
            var output = parsed.InvocationConfiguration.Output;
            var rows = PublishedRows.All.ToArray();
            if (parsed.GetValue(fit))
            {
                foreach (var stack in rows.GroupBy(row => (row.Cluster, row.Stack)))
                    WriteFit(output, [.. stack]);
                return 0;
            }
            var errors = rows.Select(PublishedError.Of).ToArray();
            if (parsed.GetValue(json))
                output.WriteLine(PlanJson.Text(errors.Select(Json)));
            else
                Write(output, errors);
            return 0;
        });
        return command;
    }

    private static object Json(PublishedError error) =>
        new
        {
            error.Row.Table,
            error.Row.Name,
            error.Row.Cluster,
            error.Row.Stack,
            Published = error.Row.Seconds,
            Predicted = error.Plan.Seconds,
            error.Error,
            Fitted = error.Row.IsFitted,
            Layout = PlanJson.Of(error.Plan.Spec),
            error.Row.Note,
        };

    private static void Write(TextWriter output, PublishedError[] errors)
    {
        foreach (var stack in errors.GroupBy(error => (error.Row.Cluster, error.Row.Stack)))
        {
            output.WriteLine(
                $"{stack.Key.Stack} on {stack.Key.Cluster}: {ClusterCatalog.Load(stack.Key.Cluster).StackOf(stack.Key.Stack).Source}"
            );
            foreach (var error in stack)
                output.WriteLine(
                    $"  {error.Row.Table,-38} {error.Row.Name,-44} {(error.Row.IsFitted ? "fitted" : ""),-7} published {error.Row.Seconds,8:N2} s  predicted {error.Plan.Seconds,8:N2} s  {error.Error,7:+0.0%;-0.0%}"
                );
            double[] held = stack.Where(error => !error.Row.IsFitted).Select(error => Math.Abs(error.Error)).ToArray();
            output.WriteLine($"  held out: {held.Length} rows, mean error {held.Average():P1}, worst {held.Max():P1}\n");
        }
    }

    private static void WriteFit(TextWriter output, PublishedRow[] rows)
    {
        var cluster = ClusterCatalog.Load(rows[0].Cluster);
        var stack = cluster.StackOf(rows[0].Stack);
        // Where a publication leaves something open the layout depends on the constants; it is settled after one round.
        var constants = Fitted(rows, cluster, stack);
        constants = Fitted(rows, cluster, stack with { Constants = constants });
        output.WriteLine($"{stack.Name} on {cluster.Name}, free: {string.Join(", ", stack.Free)}");
        output.WriteLine(
            $"  matmul: {constants.Matmul:G4}, attention: {constants.Attention:G4}, memory: {constants.Memory:G4}, node_link: {constants.NodeLink:G4}, fabric_link: {constants.FabricLink:G4}, "
                + $"overhead: {constants.Overhead:G4}, step_overhead: {constants.StepOverhead:G4}, hop_latency: {constants.HopLatency:G4}"
        );
    }

    private static ConstantsSection Fitted(PublishedRow[] rows, Cluster cluster, StackSection stack)
    {
        var fitted = rows.Where(row => row.IsFitted)
            .Select(row =>
                ConstantsFit.RowOf(new StepPlanner(PublishedError.Fastest(row, cluster, stack).Spec, cluster), stack, row.Seconds)
            )
            .ToArray();
        return new ConstantsFit(fitted, stack.Constants, stack.Free).Run();
    }
}
