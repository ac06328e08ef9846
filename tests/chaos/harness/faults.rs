//! What a test can break, and mend. Each fault is written into the history as it is done.

use std::time::Duration;

use brigade::clock::boottime_ms;
use brigade::history::{Answer, Ask, BrokerDeed, Fault};
use rustix::process::Signal;

use super::{Devices, Dinner, Party};

/// Writes that wait for their answer when controllers are killed.
const OPEN_WRITES: usize = 6;

impl Dinner {
    /// SIGKILL for these controllers, while clients' writes wait for their answers. Returns when.
    pub fn kill(&mut self, nodes: &[u64]) -> u64 {
        let leads = self.in_charge().is_some_and(|leader| nodes.contains(&leader));
        let writes = self.begin_writes(nodes);
        let at = self.book.fault(Fault::Kill, nodes, leads, "");
        for node in nodes {
            self.controllers.remove(node);
            self.paused.retain(|paused| paused != node);
        }
        self.runtime.block_on(async {
            for write in writes {
                let _ = write.await;
            }
        });
        at
    }

    /// Places orders at these nodes, and does not wait for the answers. Those orders count like all others.
    fn begin_writes(&mut self, nodes: &[u64]) -> Vec<tokio::task::JoinHandle<Answer>> {
        let mut writes = Vec::new();
        for n in 0..OPEN_WRITES.min(2 * nodes.len()) {
            let order = format!("dinner-{}", self.placed.len());
            let ask = Ask::Place { order: order.clone(), items: vec!["quick".to_owned()] };
            self.placed.push(order);
            let (api, node) = (self.api.clone(), nodes[n % nodes.len()]);
            let (sent, began) = std::sync::mpsc::channel();
            writes.push(self.runtime.spawn(async move {
                let _ = sent.send(());
                api.call("harness", node, ask).await
            }));
            began.recv().expect("the runtime runs it");
        }
        // On their way, and not answered: a write takes at least one synced write of a majority.
        writes
    }

    /// Starts these controllers.
    pub fn start(&mut self, nodes: &[u64]) {
        for node in nodes {
            self.launch(*node);
        }
        self.mark(Fault::Restart, nodes, "");
    }

    /// A node hands over and stops, as its service manager asks it to, and starts again as the present release.
    pub fn upgrade(&mut self, node: u64) {
        self.stop(node);
        self.old.remove(&node);
        self.site.hold_rules(node, None);
        self.start(&[node]);
        self.wait_until_ready(&[node]);
    }

    /// A node stops, and its place is taken by a program that goes by these rules and no newer ones: its exit code, and its last words.
    pub fn downgrade(&mut self, node: u64, rules_max: u32) -> (i32, String) {
        self.stop(node);
        self.site.hold_rules(node, Some(rules_max));
        self.launch(node);
        let mut controller = self.controllers.remove(&node).expect("it was just started");
        let code = self.wait_for("it ends by itself", |_| controller.ended());
        let log = std::fs::read_to_string(self.site.log(&format!("node{node}"))).unwrap_or_default();
        (code, log.lines().last().unwrap_or_default().to_owned())
    }

    /// SIGTERM, and waits for the end.
    fn stop(&mut self, node: u64) {
        let Some(mut controller) = self.controllers.remove(&node) else { return };
        controller.signal(Signal::TERM);
        let code = self.wait_for("it has stopped", |_| controller.ended());
        assert_eq!(code, 0, "controller {node} did not stop well");
    }

    /// Whatever ended by itself with the code for what may pass (a port in use) is started again, as a service manager does. Any other
    /// end by itself fails the test.
    pub fn look_after_controllers(&mut self) {
        let ended: Vec<(u64, i32)> = self.controllers.iter_mut().filter_map(|(n, c)| Some((*n, c.ended()?))).collect();
        for (node, code) in ended {
            let log = std::fs::read_to_string(self.site.log(&format!("node{node}"))).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(5).collect();
            assert_eq!(code, 1, "controller {node} ended by itself; its log, latest first:\n{}", last.join("\n"));
            self.launch(node);
        }
    }

    /// The kitchen goes on for so long, with its person and its service manager.
    pub fn live_for(&mut self, span: Duration) {
        let until = std::time::Instant::now() + span;
        loop {
            self.look_after_controllers();
            self.answer_questions();
            let left = until.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(300)));
        }
    }

    /// The numbers of the mosquittos.
    pub fn mosquittos(&self) -> Vec<u64> {
        self.mosquittos.keys().copied().collect()
    }

    /// What the links are made of.
    pub fn wires(&self) -> &'static str {
        self.net.name()
    }

    /// Waits until these nodes serve.
    pub fn wait_until_ready(&mut self, nodes: &[u64]) {
        let ready = |d: &Self| nodes.iter().all(|n| d.get_from(*n, "/readyz").status == 200);
        let limit = std::time::Instant::now() + super::PATIENCE;
        while !ready(self) {
            assert!(std::time::Instant::now() < limit, "nodes {nodes:?} are not ready");
            self.look_after_controllers();
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// SIGSTOP.
    pub fn pause(&mut self, node: u64) -> u64 {
        let at = self.mark(Fault::Pause, &[node], "");
        self.controllers[&node].signal(Signal::STOP);
        self.paused.push(node);
        at
    }

    /// SIGCONT. Returns when.
    pub fn resume(&mut self, node: u64) -> u64 {
        self.controllers[&node].signal(Signal::CONT);
        self.paused.retain(|paused| *paused != node);
        self.mark(Fault::Resume, &[node], "");
        boottime_ms()
    }

    /// Cuts links in the directions given.
    pub fn cut(&self, links: &[(Party, Party)]) -> u64 {
        let nodes: Vec<u64> = links.iter().filter_map(|(from, to)| node_of(*from).or(node_of(*to))).collect();
        let at = self.mark(Fault::Cut, &nodes, &format!("{}: {links:?}", self.net.name()));
        links.iter().for_each(|(from, to)| self.net.cut(*from, *to));
        at
    }

    /// Cuts both directions of each link.
    pub fn part(&self, links: &[(Party, Party)]) -> u64 {
        let both: Vec<(Party, Party)> = links.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]).collect();
        self.cut(&both)
    }

    /// Mends all links.
    pub fn heal(&self) {
        self.net.heal();
        self.book.fault(Fault::Heal, &[], false, "");
    }

    /// SIGKILL for a mosquitto.
    pub fn kill_broker(&mut self, number: u64) -> u64 {
        self.mosquittos.get_mut(&number).expect("the plan has it").kill();
        self.book.broker(&format!("mosquitto{number}"), BrokerDeed::Killed);
        boottime_ms()
    }

    /// A dead mosquitto loses what it kept.
    pub fn wipe_broker(&self, number: u64) {
        self.mosquittos[&number].wipe();
        self.book.broker(&format!("mosquitto{number}"), BrokerDeed::Wiped);
    }

    /// A dead mosquitto serves again.
    pub fn start_broker(&mut self, number: u64) {
        let Self { mosquittos, net, book, .. } = self;
        mosquittos.get_mut(&number).expect("the plan has it").start_again(net);
        book.broker(&format!("mosquitto{number}"), BrokerDeed::Started);
    }

    /// SIGKILL for all devices, with whatever they hold; then all have power again.
    pub fn reboot_devices(&mut self) {
        assert!(matches!(self.devices, Devices::Process { .. }), "the plan puts the devices elsewhere");
        self.devices = Devices::Off;
        self.book.fault(Fault::PowerCut, &[], false, "all devices");
        self.devices = self.devices_as_process();
    }

    /// Instructions arrive again, late: those of former tenures and those of the present one. Returns how many.
    pub fn deliver_late(&self) -> usize {
        let said = self.runtime.block_on(self.late.say_again());
        self.book.fault(Fault::Late, &[], false, &format!("{said} instructions again"));
        said
    }

    /// Waits until there are instructions of a former tenure, and delivers them.
    pub fn deliver_late_when_there_are(&self) {
        self.wait_until("an instruction of a former tenure is kept", |d| d.late.has_former());
        self.deliver_late();
    }

    /// A device's wires are broken (true) or whole; it goes on by itself.
    pub fn silence(&self, device: &str, silent: bool) {
        let id = device.parse().expect("a device's name is an id");
        assert!(self.line().change_faults(&id, |faults| faults.silent = silent), "the line has it");
        self.book.fault(Fault::Device, &[], false, &format!("{device} silent: {silent}"));
    }
}

impl Dinner {
    /// A device of this process gets power.
    pub fn power_up(&self, device: &str) {
        let _inside = self.runtime.enter();
        let is_dead = self.line().revive(&device.parse().expect("a device's name is an id"));
        assert!(is_dead, "{device} has power already, or the line lacks it");
    }
}

fn node_of(party: Party) -> Option<u64> {
    match party {
        Party::Node(n) => Some(n),
        Party::Broker(_) | Party::Devices => None,
    }
}
