namespace Uniscale.Configuration;

/// <summary>Everything that decides what a run computes and where it leaves its results: one YAML file, resolved.</summary>
public sealed record RunConfiguration
{
    /// <summary>Name of the run; the run directory is <c>runs/NAME</c> unless <see cref="RunDirectory"/> says otherwise.</summary>
    public string Name { get; init; } = "run";

    /// <summary>Directory that receives checkpoints, logs and metrics. Default: <c>runs/NAME</c>.</summary>
    [Schema.FilePath]
    public string? RunDirectory { get; init; }

    /// <summary>
    /// What the run learns. All but <c>pretrain</c> set <c>model.document_mask</c>, <c>reward</c> sets <c>model.head</c>, and <c>grpo</c>
    /// and <c>ppo</c> set <c>bad_steps.loss_threshold</c> to 0, where the file is silent.
    /// </summary>
    public ObjectiveKind Objective { get; init; } = ObjectiveKind.Pretrain;

    /// <summary>
    /// Run, checkpoint or imported model whose weights the run begins with; the optimizer begins anew. Not set: weights are drawn.
    /// </summary>
    [Schema.FilePath]
    public string? StartFrom { get; init; }

    /// <summary>Loss of a reward model (<c>objective: reward</c>).</summary>
    public RewardSection Reward { get; init; } = new();

    /// <summary>Loss of direct preference optimization (<c>objective: dpo</c>).</summary>
    public DpoSection Dpo { get; init; } = new();

    /// <summary>How answers are drawn that the run learns from (<c>objective: grpo</c> and <c>ppo</c>).</summary>
    public RolloutSection Rollout { get; init; } = new();

    /// <summary>What answers are rewarded for; the reward is the sum of all rules.</summary>
    public IReadOnlyList<RewardRuleSection> Rewards { get; init; } = [];

    /// <summary>Group relative policy optimization (<c>objective: grpo</c>).</summary>
    public GrpoSection Grpo { get; init; } = new();

    /// <summary>Proximal policy optimization (<c>objective: ppo</c>).</summary>
    public PpoSection Ppo { get; init; } = new();

    /// <summary>The model that scores answers.</summary>
    public RewardModelSection RewardModel { get; init; } = new();

    /// <summary>Rounds of reward model and policy (COOL RLHF), which <c>uniscale align</c> does one after the other.</summary>
    public RoundsSection Rounds { get; init; } = new();

    /// <summary>Shape of the model.</summary>
    public ModelSection Model { get; init; } = new();

    /// <summary>Where tokens come from.</summary>
    public DataSection Data { get; init; } = new();

    /// <summary>Sequences per optimizer step and per microbatch.</summary>
    public BatchSection Batch { get; init; } = new();

    /// <summary>AdamW and gradient clipping.</summary>
    public OptimizerSection Optimizer { get; init; } = new();

    /// <summary>Learning rate as a function of consumed tokens.</summary>
    public ScheduleSection Schedule { get; init; } = new();

    /// <summary>How long to train, with which precision and seed.</summary>
    public TrainSection Train { get; init; } = new();

    /// <summary>The parallel layout.</summary>
    public ParallelSection Parallel { get; init; } = new();

    /// <summary>When and where checkpoints are written.</summary>
    public CheckpointSection Checkpoint { get; init; } = new();

    /// <summary>What is done about steps that go wrong.</summary>
    public BadStepsSection BadSteps { get; init; } = new();

    /// <summary>Validation during training, and tasks that the model is asked meanwhile.</summary>
    public EvaluationSection Evaluation { get; init; } = new();

    /// <summary>What is printed and written about the run.</summary>
    public LoggingSection Logging { get; init; } = new();

    /// <summary>What goes to the monitoring of a cluster, and whom to tell.</summary>
    public TelemetrySection Telemetry { get; init; } = new();

    /// <summary>A look at the nodes before training.</summary>
    public PreflightSection Preflight { get; init; } = new();

    /// <summary>Faults on purpose, to try recovery.</summary>
    public FaultsSection Faults { get; init; } = new();

    /// <summary>Phases of a multi-phase curriculum; empty: one phase over all of <see cref="Data"/>.</summary>
    public IReadOnlyList<PhaseSection> Phases { get; init; } = [];

    /// <summary>Whether each step of the run trains a critic beside the policy.</summary>
    public bool HasCritic => Objective == ObjectiveKind.Ppo && Model.Head == HeadKind.Vocabulary;

    /// <summary>Whether the run compares with the model that it starts from, which is held beside it.</summary>
    public bool ReadsReference => Objective.ReadsReference() && Model.Head == HeadKind.Vocabulary;

    /// <summary>Whether a reward model is held beside the policy.</summary>
    public bool ReadsScores => Objective.DrawsAnswers() && Model.Head == HeadKind.Vocabulary && RewardModel.From is not null;

    /// <summary>Whether another reward model is held beside the first, to compare.</summary>
    public bool ReadsHeldOutScores => ReadsScores && RewardModel.HeldOut is not null;

    /// <summary>Answers that are drawn to each prompt.</summary>
    public int AnswersPerPrompt => Objective == ObjectiveKind.Grpo ? Grpo.Group : 1;

    /// <summary>
    /// The critic's run beside this one: the same but for head, rate, and what is done about bad steps (an update that is not finite is
    /// left out).
    /// </summary>
    public RunConfiguration OfCritic() =>
        this with
        {
            Model = Model with { Head = HeadKind.Score },
            Optimizer = Optimizer with { Lr = Ppo.CriticLr ?? Optimizer.Lr },
            BadSteps = BadSteps with { NotFinite = BadStepAction.Skip, LossThreshold = 0, GradientThreshold = 0 },
        };

    /// <summary>Whether the run learns from answers that are compared.</summary>
    public bool ComparesAnswers => Objective.ComparesAnswers();

    /// <summary>Base of the rotary angles in a phase, counted from 0; the model's where the phase has none of its own.</summary>
    public double RopeBaseOf(int phase) => phase < Phases.Count ? Phases[phase].RopeBase ?? Model.RopeBase : Model.RopeBase;

    /// <summary>The batch of the run and those of its phases, each with its key and the context length that it has.</summary>
    public IEnumerable<(string Key, BatchSection Batch, int Context)> Batches() =>
        Phases
            .Select((phase, i) => ($"phases[{i}].batch", phase.Batch ?? Batch, phase.Context ?? Model.Context))
            .Prepend(("batch", Batch, Model.Context));

    /// <summary>
    /// The model as it is trained after this many tokens: with rotary base and (a learned table of positions keeps its rows) context of the
    /// phase that the last of them belongs to, to the step.
    /// </summary>
    public ModelSection ModelAt(long consumedTokens)
    {
        int phase = 0;
        for (long end = 0L; phase < Phases.Count - 1 && consumedTokens > (end += Phases[phase].Tokens);)
            phase++;
        int? context = phase < Phases.Count && Model.Positions == PositionKind.Rope ? Phases[phase].Context : null;
        return Model with { Context = context ?? Model.Context, RopeBase = RopeBaseOf(phase) };
    }
}
