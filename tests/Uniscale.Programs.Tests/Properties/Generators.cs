using FsCheck;
using FsCheck.Fluent;
using Uniscale.Programs.Schedules;

namespace Uniscale.Programs.Tests.Properties;

/// <summary>Random layouts and changes.</summary>
internal static class Generators
{
    /// <summary>Layouts of up to 16 ranks that can work.</summary>
    public static Arbitrary<StepSpecification> Layouts =>
        (
            from pipeline in Gen.Choose(1, 4)
            from data in Gen.Choose(1, 3)
            from context in Gen.Elements(1, 1, 2)
            from tensor in Gen.Elements(1, 1, 2)
            where pipeline * data * context * tensor <= 16
            from schedule in Gen.Elements(ScheduleRegistry.All.ToArray())
            from chunks in Gen.Choose(1, schedule.Interleaves ? 3 : 1)
            from layers in Gen.Choose(Math.Max(1, pipeline * chunks - 2), 12)
            from microbatches in Gen.Choose(1, 7)
            from zero in Gen.Choose(0, 3)
            from whole in Gen.Elements(true, false)
            from tied in Gen.Elements(true, false)
            from checksum in Gen.Elements(true, false)
            from vocabulary in Gen.Elements(64, 4096)
            from order in Gen.Shuffle(Enum.GetValues<Axis>())
            select new StepSpecification
            {
                Model = Specs.Tiny with { Layers = layers, TiedEmbeddings = tied, Vocabulary = vocabulary },
                Mesh = new MeshShape(pipeline, data, context, tensor) { Order = order },
                Microbatches = microbatches,
                MicrobatchSize = 1,
                Schedule = schedule.Name,
                Chunks = chunks,
                ZeroStage = zero,
                ZeroGroup =
                    zero == 0 ? 1
                    : whole ? data * context
                    : data,
                Checksum = checksum,
            }
        ).ToArbitrary();

    /// <summary>Changes; half of the swaps and copies are of neighbours, which are the hardest to see.</summary>
    public static Gen<Mutation> Mutations =>
        from kind in Gen.Elements(Enum.GetValues<MutationKind>())
        from rank in Gen.Choose(0, 15)
        from first in Gen.Choose(0, 1 << 20)
        from near in Gen.Elements(true, false)
        from second in Gen.Choose(0, 1 << 20)
        select new Mutation(kind, rank, first, near ? first + 1 : second);

    public static Arbitrary<(StepSpecification Spec, Mutation Mutation)> Mutants =>
        (from spec in Layouts.Generator from mutation in Mutations select (spec, mutation)).ToArbitrary();
}
