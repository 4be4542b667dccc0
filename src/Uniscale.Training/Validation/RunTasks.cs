using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Execution;
using Uniscale.Evaluation.Inference;
using Uniscale.Evaluation.Requests;
using Uniscale.Evaluation.Results;
using Uniscale.Evaluation.Tasks;
using Uniscale.Launching.Supervision;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Validation;

/// <summary>
/// The tasks of <c>evaluation.tasks</c>, asked with the weights of a run between two steps, without copying them. Replicas answer different
/// requests, and every rank gets all scores. What a request gets does not depend on it (decision 0210), and training does not see it.
/// </summary>
internal sealed class RunTasks : IDisposable
{
    private readonly EvaluationTasks _tasks;
    private readonly Tokenizer _tokenizer;

    private RunTasks(EvaluationTasks tasks, Tokenizer tokenizer)
    {
        _tasks = tasks;
        _tokenizer = tokenizer;
    }

    /// <summary>Names the questions: the same on hosts that read the same files.</summary>
    public string Fingerprint => _tasks.Fingerprint;

    /// <summary>Names the weights of a run at its step.</summary>
    public static string DigestOf(RankRuntime runtime) =>
        string.Create(CultureInfo.InvariantCulture, $"{runtime.Configuration.Name}, step {runtime.Position.Step}");

    /// <summary>Reads the tasks of a run; null: it has none.</summary>
    /// <exception cref="UserErrorException">There is no such task, its files are missing or damaged, or a phase's rule names no
    /// score.</exception>
    public static RunTasks? Open(RunConfiguration configuration)
    {
        var evaluation = configuration.Evaluation;
        if (!evaluation.HasTasks)
            return null;
        bool isFree = evaluation.Data is null && evaluation.Tasks.All(task => task == EvaluationTasks.NeedleName);
        if (evaluation.Data is null && !isFree)
            throw new UserErrorException(
                $"evaluation.tasks names {string.Join(", ", evaluation.Tasks)}, but evaluation.data is not set: name there the folder of the tasks' files."
            );
        var tasks = EvaluationTasks.Read(
            [.. evaluation.Tasks.Distinct()],
            evaluation.TaskFiles,
            evaluation.Data,
            split: null,
            new ExamOptions(evaluation.Variant, Shots: evaluation.Shots, Limit: evaluation.Limit)
        );
        var names = tasks.ScoreNames;
        foreach (var phase in configuration.Phases)
            if (phase.StopBelow.Keys.FirstOrDefault(name => !names.Contains(name)) is { } unknown)
                throw new UserErrorException(
                    $"stop_below of phase '{phase.Name}' names '{unknown}', which is no score of evaluation.tasks{Configuration.Schema.Names.Hint(unknown, [.. names])}"
                );
        return new RunTasks(tasks, Tokenizer.Load(configuration.Data.Tokenizer!));
    }

    /// <summary>Refuses what could not be asked in the middle of the run: with the context of each phase.</summary>
    /// <exception cref="UserErrorException">A question cannot be asked.</exception>
    public void Check(RunConfiguration configuration)
    {
        long end = 0;
        var shapes = configuration.Phases.Select(phase => configuration.ModelAt(end += phase.Tokens)).ToList();
        // What fits the shortest context fits every other.
        Evaluator.Check(_tasks, shapes.Count > 0 ? shapes.MinBy(shape => shape.Context)! : configuration.Model, _tokenizer);
    }

    /// <summary>
    /// Asks the model as it is. Collective; null: a stop was seen, and nothing is known. Programs that the model writes are run on rank 0,
    /// so that its scores are those that count.
    /// </summary>
    /// <param name="runtime">The run.</param>
    /// <param name="monitor">Hears of each round of questions: an exam may take longer than anything else between two steps.</param>
    public Evaluated? Ask(RankRuntime runtime, IRunMonitor monitor)
    {
        using var answers = AnswerStore.InMemory();
        var shape = runtime.Configuration.ModelAt(runtime.Position.ConsumedTokens);
        var place = PlaceOf(runtime, monitor);
        try
        {
            return new Evaluator(
                shape,
                positions => new ReplicaReaders(InferenceModel.Of(runtime.Model, runtime.Specification, positions), place, answers),
                _tokenizer,
                DigestOf(runtime),
                answers
            )
            {
                // Programs are run once; the other ranks hear what follows from it.
                Code = runtime.World.Rank == 0 ? PythonSandbox.Default : new NotRun(),
            }.Run(_tasks);
        }
        catch (OperationCanceledException) when (runtime.IsStopSeen)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _tokenizer.Dispose();

    /// <summary>Counts every program as wrong.</summary>
    private sealed class NotRun : ICodeRunner
    {
        public void Check() { }

        public bool Passes(string program) => false;
    }

    private static ReplicaPlace PlaceOf(RankRuntime runtime, IRunMonitor monitor)
    {
        var mesh = runtime.Specification.Mesh;
        var place = mesh.CoordinateOf(runtime.World.Rank);
        return new ReplicaPlace(
            runtime.World.HostGroup,
            (place.Data * mesh.Context) + place.Context,
            mesh.Data * mesh.Context,
            Speaks: place is { Tensor: 0, Pipeline: 0 },
            () =>
            {
                // It ends with what is busy around it.
                _ = monitor.Busy("asking tasks");
                return runtime.SeeStop();
            }
        );
    }
}
