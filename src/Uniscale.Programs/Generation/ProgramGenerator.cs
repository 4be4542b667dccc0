using System.Collections;
using Uniscale.Programs.Schedules;

namespace Uniscale.Programs;

/// <summary>
/// Writes the step program of any rank of a layout. The instructions of a stage are written once (<see cref="StageEmitter"/>) and
/// addressed for each rank; nothing but the layout decides what is in them.
/// </summary>
public sealed class ProgramGenerator
{
    private readonly StepSpecification _spec;
    private readonly Lazy<Instruction[]>[] _stages;

    /// <summary>A generator for all ranks of a layout.</summary>
    /// <param name="spec">The layout.</param>
    /// <param name="schedule">Order of passes; null: the one that <see cref="StepSpecification.Schedule"/> names.</param>
    /// <exception cref="LayoutException">The layout cannot work.</exception>
    public ProgramGenerator(StepSpecification spec, ISchedule? schedule = null)
    {
        if (schedule is null)
            SpecificationRules.Check(spec);
        _spec = spec;
        // Forward alone, microbatches keep the order that they have in training.
        schedule ??= ScheduleRegistry.Find(spec.Schedule).FittedTo(spec with { ForwardOnly = false });
        var partition = StagePartition.Of(spec);
        int depth = ReceiveDepth.Of(spec, partition, schedule);
        _stages = Enumerable
            .Range(0, spec.Mesh.Pipeline)
            .Select(stage => new Lazy<Instruction[]>(() => new StageEmitter(spec, partition, schedule, stage, depth).Emit()))
            .ToArray();
    }

    /// <summary>Program of one rank of a layout; for many ranks make one generator.</summary>
    /// <exception cref="LayoutException">The layout cannot work.</exception>
    public static StepProgram Generate(StepSpecification spec, int rank) => new ProgramGenerator(spec).Generate(rank);

    /// <summary>Program of a rank.</summary>
    /// <param name="rank">World rank.</param>
    public StepProgram Generate(int rank)
    {
        var place = _spec.Mesh.CoordinateOf(rank);
        var template = _stages[place.Pipeline].Value;
        return new StepProgram(rank, new AddressedInstructions(template, _spec.Mesh.GroupOf(rank, Axis.Pipeline)));
    }

    /// <summary>A stage's instructions with the stages in them read as ranks: thousands of ranks share one list.</summary>
    private sealed class AddressedInstructions(Instruction[] template, IReadOnlyList<int> rankOfStage) : IReadOnlyList<Instruction>
    {
        public int Count => template.Length;

        public Instruction this[int index]
        {
            get
            {
                var instruction = template[index];
                return instruction.Peer < 0 ? instruction : instruction with { Peer = rankOfStage[instruction.Peer] };
            }
        }

        public IEnumerator<Instruction> GetEnumerator()
        {
            for (int i = 0; i < template.Length; i++)
                yield return this[i];
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
