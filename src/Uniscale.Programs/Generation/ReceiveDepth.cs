using Uniscale.Programs.Checking;
using Uniscale.Programs.Schedules;

namespace Uniscale.Programs;

/// <summary>
/// How many receives a stage posts ahead of the computation. One is enough for most orders of passes; some (interleaved, in groups larger
/// than
/// the pipeline) need more, else two stages could stand in sends to each other. The number is found by running one
/// pipeline in the checker's strict model.
/// </summary>
internal static class ReceiveDepth
{
    /// <summary>Orders that need more than this are wrong in themselves, and the checker says where.</summary>
    private const int DeepestTried = 32;

    /// <summary>The smallest depth at which one pipeline of the layout comes to its end; 1 where none does.</summary>
    public static int Of(StepSpecification spec, StagePartition partition, ISchedule schedule)
    {
        if (spec.Mesh.Pipeline == 1)
            return 1;
        var pipeline = spec with { Mesh = new MeshShape(spec.Mesh.Pipeline, 1, 1, 1), ZeroStage = 0, ZeroGroup = 1 };
        var layout = new CheckedLayout(pipeline);
        for (int depth = 1; depth <= DeepestTried; depth++)
        {
            var programs = Enumerable
                .Range(0, spec.Mesh.Pipeline)
                .Select(stage => new StepProgram(stage, new StageEmitter(pipeline, partition, schedule, stage, depth).Emit()))
                .ToArray();
            var violations = new List<Violation>();
            new StrictWorld(layout, programs, violations).Run();
            if (violations.Count == 0)
                return depth;
        }
        return 1;
    }
}
