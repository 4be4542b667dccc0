using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration;

/// <summary>By whose rules an exam is held: they differ in prompts, in scoring and in what is averaged, and so in the figure.</summary>
public enum ExamVariant
{
    /// <summary>The exam's own program.</summary>
    Original,

    /// <summary>lm-evaluation-harness.</summary>
    Harness,

    /// <summary>OpenCompass.</summary>
    [YamlName("opencompass")]
    OpenCompass,
}

/// <summary>Validation during training, and tasks that the model is asked meanwhile.</summary>
public sealed record EvaluationSection
{
    /// <summary>Steps between validations; 0: only at the end.</summary>
    [Range(0)]
    public long Every { get; init; }

    /// <summary>
    /// Sequences of each validation source, and prompts that are answered where the model learns from answers of its own; 0: all.
    /// </summary>
    [Range(0)]
    public int Sequences { get; init; } = 64;

    /// <summary>
    /// Tasks that the model is asked at the end of each phase and of the run, those of <c>uniscale evaluate --tasks</c>: ham, mmlu, needle
    /// and others.
    /// </summary>
    public IReadOnlyList<string> Tasks { get; init; } = [];

    /// <summary>Tasks of one's own, asked with the others (<c>uniscale evaluate --task-file</c>).</summary>
    [FilePath]
    public IReadOnlyList<string> TaskFiles { get; init; } = [];

    /// <summary>Folder of the tasks' files, or one with a folder for each task.</summary>
    [FilePath]
    public string? Data { get; init; }

    /// <summary>Steps between times that the tasks are asked besides; 0: none.</summary>
    [Range(0)]
    public long TasksEvery { get; init; }

    /// <summary>Questions of each subject, from the first; 0: all.</summary>
    [Range(0)]
    public int Limit { get; init; }

    /// <summary>Questions with answers in front; not set: the variant's number.</summary>
    [Range(0, 1000)]
    public int? Shots { get; init; }

    /// <summary>By whose rules exams are held.</summary>
    public ExamVariant Variant { get; init; } = ExamVariant.Original;

    /// <summary>Whether anything is asked.</summary>
    public bool HasTasks => Tasks.Count + TaskFiles.Count > 0;
}
