"""The papers' equations as plain NumPy loops, each written from the paper alone."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def arrays(cell):
    """Return a cell's array fields as NumPy arrays, by name."""
    return {
        name: np.asarray(value)
        for name, value in vars(cell).items()
        if hasattr(value, "dtype")
    }


def tanh_rnn(cell, inputs):
    p, h, out = arrays(cell), np.zeros(cell.output_size), []
    for u in inputs:
        h = np.tanh(p["weight"] @ h + p["input_weight"] @ u + p["bias"])
        out.append(h)
    return np.array(out)


def irnn(cell, inputs):
    p, h, out = arrays(cell), np.zeros(cell.output_size), []
    for u in inputs:
        h = np.maximum(p["weight"] @ h + p["input_weight"] @ u + p["bias"], 0)
        out.append(h)
    return np.array(out)


def lstm(cell, inputs):
    p, n = arrays(cell.cell), cell.output_size
    h, c, out = np.zeros(n), np.zeros(n), []
    for u in inputs:
        total = p["weight_hh"] @ h + p["weight_ih"] @ u + p["bias"]
        i, f, g, o = (total[k * n : (k + 1) * n] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        out.append(h)
    return np.array(out)


def gru(cell, inputs):
    p, n = arrays(cell.cell), cell.output_size
    h, out = np.zeros(n), []
    for u in inputs:
        of_u, of_h = p["weight_ih"] @ u + p["bias"], p["weight_hh"] @ h
        r = sigmoid(of_u[:n] + of_h[:n])
        z = sigmoid(of_u[n : 2 * n] + of_h[n : 2 * n])
        new = np.tanh(of_u[2 * n :] + r * (of_h[2 * n :] + p["bias_n"]))
        h = (1 - z) * new + z * h
        out.append(h)
    return np.array(out)


def skew(weight):
    """Return W - W^T of the strictly upper triangular W of a `SkewSymmetric`."""
    n = weight.size
    upper = np.zeros((n, n))
    upper[np.triu_indices(n, 1)] = np.asarray(weight.upper)
    return upper - upper.T


def antisymmetric(cell, inputs):
    p, n = arrays(cell), cell.output_size
    matrix = skew(cell.weight) - cell.diffusion * np.eye(n)
    h, out = np.zeros(n), []
    for u in inputs:
        change = np.tanh(matrix @ h + p["input_weight"] @ u + p["bias"])
        if "gate_weight" in p:
            z = sigmoid(matrix @ h + p["gate_weight"] @ u + p["gate_bias"])
            change = z * change
        h = h + cell.dt * change
        out.append(h)
    return np.array(out)


def lipschitz(cell, inputs):
    p, n = arrays(cell), cell.output_size

    def build(free, beta, gamma):
        symmetric, skew_part = free + free.T, free - free.T
        return (1 - beta) * symmetric + beta * skew_part - gamma * np.eye(n)

    linear = build(p["linear"], cell.skewness[0], cell.diffusion[0])
    weight = build(p["weight"], cell.skewness[1], cell.diffusion[1])
    h, out = np.zeros(n), []
    for u in inputs:
        bent = np.tanh(weight @ h + p["input_weight"] @ u + p["bias"])
        h = h + cell.dt * (linear @ h + bent)
        out.append(h)
    return np.array(out)


def exponential(skew_matrix):
    """Return the exponential of a skew matrix through its eigenvectors."""
    values, vectors = np.linalg.eigh(1j * skew_matrix)
    return ((vectors * np.exp(-1j * values)) @ vectors.conj().T).real


def exp_rnn(cell, inputs):
    p = arrays(cell)
    weight = exponential(skew(cell.weight))
    h, out = np.zeros(cell.output_size), []
    for u in inputs:
        x = weight @ h + p["input_weight"] @ u
        h = np.sign(x) * np.maximum(np.abs(x) + p["bias"], 0)
        out.append(h)
    return np.array(out)


def cornn(cell, inputs):
    p, n = arrays(cell), cell.output_size
    dt, gamma, epsilon = cell.dt, cell.frequency, cell.damping
    y, z, out = np.zeros(n), np.zeros(n), []
    for u in inputs:
        force = np.tanh(
            p["weight"] @ y
            + p["velocity_weight"] @ z
            + p["input_weight"] @ u
            + p["bias"]
        )
        if cell.implicit:
            z = (z + dt * force - dt * gamma * y) / (1 + dt * epsilon)
        else:
            z = z + dt * force - dt * gamma * y - dt * epsilon * z
        y = y + dt * z
        out.append(y)
    return np.array(out)


def lem(cell, inputs):
    p, n = arrays(cell), cell.output_size
    w1, w2, wz = (p["weight"][k * n : (k + 1) * n] for k in range(3))
    v1, v2, vz, vy = (p["input_weight"][k * n : (k + 1) * n] for k in range(4))
    b1, b2, bz, by = (p["bias"][k * n : (k + 1) * n] for k in range(4))
    y, z, out = np.zeros(n), np.zeros(n), []
    for u in inputs:
        # The paper's sigma-hat: (1 + tanh(x / 2)) / 2.
        slow = cell.dt * 0.5 * (1 + np.tanh((w1 @ y + v1 @ u + b1) / 2))
        fast = cell.dt * 0.5 * (1 + np.tanh((w2 @ y + v2 @ u + b2) / 2))
        z = (1 - slow) * z + slow * np.tanh(wz @ y + vz @ u + bz)
        y = (1 - fast) * y + fast * np.tanh(p["output_weight"] @ z + vy @ u + by)
        out.append(y)
    return np.array(out)


def skip(weight, u):
    return weight * u if weight.ndim == 1 else weight @ u


def lru(cell, inputs):
    p = arrays(cell)
    lam = np.exp(-np.exp(p["log_decay"]) + 1j * np.exp(p["log_phase"]))
    b = p["input_weight"][0] + 1j * p["input_weight"][1]
    c = p["output_weight"][0] + 1j * p["output_weight"][1]
    x, out = np.zeros(lam.shape, complex), []
    for u in inputs:
        x = lam * x + np.exp(p["log_gain"]) * (b @ u)
        out.append((c @ x).real + skip(p["skip_weight"], u))
    return np.array(out)


def linoss(cell, inputs, *, implicit):
    p = arrays(cell)
    a, dt = np.maximum(p["frequency"], 0), sigmoid(p["log_step"])
    y, z, out = np.zeros(a.shape), np.zeros(a.shape), []
    for u in inputs:
        force = p["input_weight"] @ u
        if implicit:
            # Solved as the linear system that the implicit step is.
            for i in range(a.size):
                left = np.array([[1.0, dt[i] * a[i]], [-dt[i], 1.0]])
                z[i], y[i] = np.linalg.solve(left, [z[i] + dt[i] * force[i], y[i]])
        else:
            z = z + dt * (-a * y + force)
            y = y + dt * z
        out.append(p["output_weight"] @ y + skip(p["skip_weight"], u))
    return np.array(out)


EQUATIONS = {
    "tanh-rnn": tanh_rnn,
    "irnn": irnn,
    "lstm": lstm,
    "gru": gru,
    "antisymmetric": antisymmetric,
    "lipschitz": lipschitz,
    "exprnn": exp_rnn,
    "cornn": cornn,
    "lem": lem,
    "lru": lru,
    "linoss-im": lambda cell, inputs: linoss(cell, inputs, implicit=True),
    "linoss-imex": lambda cell, inputs: linoss(cell, inputs, implicit=False),
}
